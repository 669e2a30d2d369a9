package venv

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// People are told what the installer is at, not what it leaves alone.
func TestLastLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), logName)
	assert.Empty(t, lastLine(path), "it has not begun")
	for said, want := range map[string]string{
		"":                               "",
		"Collecting a\n":                 "Collecting a",
		"Collecting a\n\n  Downloading ": "Downloading",
		"Collecting a\nRequirement already satisfied: b in /c\nAttempting uninstall: d\n    Found existing installation: d 1\n    Can't uninstall 'd'. No files were found to uninstall.\n": "Collecting a",
		"Requirement already satisfied: b in /c\n":  "",
		"Looking in https://me:secret@host/simple/": "Looking in https://host/simple/",
	} {
		require.NoError(t, os.WriteFile(path, []byte(said), 0o600))
		assert.Equal(t, want, lastLine(path))
	}
}
