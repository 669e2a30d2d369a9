package local

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// Bytes that ran are kept in the data directory under their SHA-256, once for
// all runs, so that a changed file can be had again. The runtime keeps what it
// executes itself (facts.py); here is the rest.

const (
	keptMost   = 1 << 20  // bytes of the largest file that is kept
	hashedMost = 64 << 20 // bytes of the largest file that is hashed
)

func blobDir(home string) string { return filepath.Join(home, "blobs") }

// keepBlob keeps bytes and returns their SHA-256. It is in place whole or not at all.
func keepBlob(home string, data []byte) (string, error) {
	sum := sha256.Sum256(data)
	name := hex.EncodeToString(sum[:])
	path := filepath.Join(blobDir(home), name)
	if _, err := os.Stat(path); err == nil {
		return name, nil
	}
	if err := os.MkdirAll(blobDir(home), 0o700); err != nil {
		return name, err
	}
	f, err := os.CreateTemp(blobDir(home), name+".") // mode 0600
	if err != nil {
		return name, err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return name, errors.Join(err, os.Remove(f.Name()))
	}
	return name, nil
}

// sourceFile is a file of code in a "source" fact.
type sourceFile struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256,omitempty"` // empty: too large to be hashed
	Size   int64  `json:"size"`
	Via    string `json:"via"` // how it came to run: "notebook", "%run", "script", "wheel", "import", …
	Blob   bool   `json:"blob,omitempty"`
}

// hashFile describes a file of code that is not ours to execute, and keeps a small one.
func hashFile(home, path, via string) (sourceFile, error) {
	s := sourceFile{Path: path, Via: via}
	f, err := os.Open(path)
	if err != nil {
		return s, err
	}
	defer f.Close() //nolint:errcheck // only read
	st, err := f.Stat()
	if err != nil {
		return s, err
	}
	if s.Size = st.Size(); s.Size > hashedMost {
		return s, nil
	}
	if s.Size <= keptMost {
		data, err := io.ReadAll(f)
		if err != nil {
			return s, err
		}
		s.SHA256, err = keepBlob(home, data)
		s.Blob = err == nil // a full disk fails no task here
		return s, nil
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	s.SHA256 = hex.EncodeToString(h.Sum(nil))
	return s, err
}

// sumLines is the SHA-256 of a list of packages, as it is kept.
func sumLines(lines []string) (string, []byte) {
	var text []byte
	for _, l := range lines {
		text = append(append(text, l...), '\n')
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), text
}
