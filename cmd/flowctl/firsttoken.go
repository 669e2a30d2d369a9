package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"flowctl/engine/workspace"
)

// firstToken makes the first admin's token and leaves it in the data
// directory, for its user alone. A file that is there already is left as it is,
// if its token is good.
func (a *app) firstToken(home string, log *slog.Logger) error {
	path := filepath.Join(home, "token")
	if old, err := os.ReadFile(path); err == nil {
		if _, err := a.workspaces.Authenticate(strings.TrimSpace(string(old))); err == nil {
			return nil
		}
		log.Warn("the token in the file is no longer good; a new one takes its place", "file", path)
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the first token: %w", err)
	}
	value, _, err := a.workspaces.CreateToken(workspace.TokenRequest{User: userName(), Comment: "made by flowctl daemon", Admin: true})
	if err != nil {
		return fmt.Errorf("make the first token: %w", err)
	}
	if err := writeWhole(path, []byte(value+"\n")); err != nil {
		return fmt.Errorf("write the first token: %w", err)
	}
	return nil
}

// writeWhole writes a file for its user alone, whole or not at all.
func writeWhole(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // it is of no use
	}
	return err
}
