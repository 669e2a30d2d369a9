package python

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

//go:embed runtime/*.py runtime/*/*.py
var runtimeFiles embed.FS

// runtimeHash names the embedded runtime by its content.
var runtimeHash = sync.OnceValues(func() (string, error) {
	h := sha256.New()
	err := fs.WalkDir(runtimeFiles, "runtime", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := runtimeFiles.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %d\n", path, len(data))
		h.Write(data)
		return nil
	})
	return hex.EncodeToString(h.Sum(nil)[:8]), err
})

// Extract puts the embedded runtime under dir, in a folder named by its
// content, and returns that folder. Where it is already, this is one look.
func Extract(dir string) (string, error) {
	hash, err := runtimeHash()
	if err != nil {
		return "", fmt.Errorf("read embedded runtime: %w", err)
	}
	target := filepath.Join(dir, hash)
	if _, err := os.Stat(filepath.Join(target, "main.py")); err == nil {
		return target, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("extract runtime: %w", err)
	}
	tmp, err := os.MkdirTemp(dir, ".new-")
	if err != nil {
		return "", fmt.Errorf("extract runtime: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }() // gone already if the rename went well
	sub, err := fs.Sub(runtimeFiles, "runtime")
	if err != nil {
		return "", fmt.Errorf("extract runtime: %w", err)
	}
	if err := os.CopyFS(filepath.Join(tmp, "runtime"), sub); err != nil {
		return "", fmt.Errorf("extract runtime: %w", err)
	}
	if err := os.Rename(filepath.Join(tmp, "runtime"), target); err != nil {
		if _, serr := os.Stat(filepath.Join(target, "main.py")); serr == nil {
			return target, nil // another process was quicker
		}
		return "", fmt.Errorf("extract runtime: %w", err)
	}
	return target, nil
}
