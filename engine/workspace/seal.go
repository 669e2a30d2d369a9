package workspace

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// sealer encrypts secrets with AES-256-GCM under a random key that lies in a
// file of mode 0600 beside the store, so that a copy of the store alone, as in
// a backup or a bug report, tells nothing. The name of a secret is sealed in:
// a ciphertext cannot be passed off as another secret's. Go's own cipher does
// this with no further module; age, made for files and recipients, would add
// its header and a key exchange to each small record.
type sealer struct {
	path string

	mu   sync.Mutex
	aead cipher.AEAD
	id   string // tells keys apart; half a hash of the key
}

func newSealer(path string) *sealer { return &sealer{path: path} }

const keySize = 32

// load reads the key. make allows a new one.
func (s *sealer) load(makeKey bool) (cipher.AEAD, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aead != nil {
		return s.aead, s.id, nil
	}
	key, err := readKey(s.path)
	if errors.Is(err, fs.ErrNotExist) && makeKey {
		key, err = newKey(s.path)
	}
	if err != nil {
		return nil, "", err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, "", fmt.Errorf("read key of secrets: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, "", fmt.Errorf("read key of secrets: %w", err)
	}
	sum := sha256.Sum256(key)
	s.aead, s.id = aead, hex.EncodeToString(sum[:8])
	return s.aead, s.id, nil
}

func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read key of secrets: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read key of secrets: others may read %s (mode %04o); protect it with: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read key of secrets: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != keySize {
		return nil, fmt.Errorf("read key of secrets: %s must hold %d bytes in hexadecimal", path, keySize)
	}
	return key, nil
}

// newKey writes a new key, whole or not at all.
func newKey(path string) ([]byte, error) {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails: it ends the program rather
	f, err := os.CreateTemp(filepath.Dir(path), ".secrets.key-*")
	if err != nil {
		return nil, fmt.Errorf("write key of secrets: %w", err)
	}
	_, err = f.WriteString(hex.EncodeToString(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Link(f.Name(), path) // fails if there is one meanwhile
	}
	if err = errors.Join(err, os.Remove(f.Name())); err != nil {
		return nil, fmt.Errorf("write key of secrets: %w", err)
	}
	return key, nil
}

func (s *sealer) seal(value []byte, name string) (sealed []byte, keyID string, err error) {
	aead, id, err := s.load(true)
	if err != nil {
		return nil, "", err
	}
	return aead.Seal(nil, nil, value, []byte(name)), id, nil
}

func (s *sealer) unseal(sealed []byte, keyID, name string) ([]byte, error) {
	aead, id, err := s.load(false)
	if err != nil {
		return nil, err
	}
	if id != keyID {
		return nil, fmt.Errorf("decrypt secret: it was encrypted with key %s, but %s holds key %s; put the old file back or the secret anew", keyID, s.path, id)
	}
	value, err := aead.Open(nil, nil, sealed, []byte(name))
	if err != nil {
		return nil, fmt.Errorf("decrypt secret: %w", err)
	}
	return value, nil
}
