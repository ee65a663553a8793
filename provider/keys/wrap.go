package keys

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/curfew-id/curfew/provider/filemode"
	"github.com/curfew-id/curfew/storage"
)

// wrapper seals the secret parts of rows under the key of the key file, so that a copy of the store alone is worth
// nothing.
type wrapper struct {
	path  string
	keyID []byte // names the key in each row, which distinguishes a wrong key file from a damaged row
	aead  cipher.AEAD
}

// A wrapped secret: one byte of version, the id of the key file's key, nonce, sealed secret.
const (
	wrapVersion    = 1
	wrapKeyIDBytes = 8
)

// openKeyFile reads the key file, or makes it if it may.
func openKeyFile(path string, mayCreate bool) (*wrapper, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && mayCreate:
		if err := createKeyFile(path); err != nil {
			return nil, fmt.Errorf("make key file: %w", err)
		}
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf(
			"key file %s is missing, and the keys in the store cannot be unwrapped without it: restore it, or set key_file to where it is",
			path,
		)
	case err != nil:
		return nil, fmt.Errorf("read key file: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("key file %s is not a regular file", path)
	}
	if info != nil {
		if err := filemode.CheckSecret(path, info); err != nil {
			return nil, fmt.Errorf("key file %w", err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	key, err := base64.RawURLEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != chacha20poly1305.KeySize {
		return nil, fmt.Errorf("key file %s does not hold %d bytes in base64url", path, chacha20poly1305.KeySize)
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	id := sha256.Sum256(append([]byte("curfew key file "), key...))
	return &wrapper{path, id[:wrapKeyIDBytes], aead}, nil
}

// createKeyFile writes a file beside path first, so that a crash leaves a whole key file or none.
func createKeyFile(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintln(f, Random(""))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// associatedData is what a wrapped secret is bound to, so that rows cannot be swapped.
func associatedData(record storage.Key) []byte {
	return fmt.Appendf(nil, "key %d:%s%d:%s%s", len(record.ID), record.ID, len(record.Use), record.Use, record.Alg)
}

func (w *wrapper) wrap(record storage.Key, secret []byte) []byte {
	header := append([]byte{wrapVersion}, w.keyID...)
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(nonce) // never fails (crypto/rand)
	return w.aead.Seal(append(header, nonce...), nonce, secret, associatedData(record))
}

func (w *wrapper) unwrap(record storage.Key) ([]byte, error) {
	const headerBytes = 1 + wrapKeyIDBytes
	blob := record.Wrapped
	if len(blob) < headerBytes+chacha20poly1305.NonceSizeX || blob[0] != wrapVersion {
		return nil, errors.New("no wrapped secret of a form that this release knows")
	}
	if !bytes.Equal(blob[1:headerBytes], w.keyID) {
		return nil, fmt.Errorf(
			"wrapped with another key than that of the key file %s: restore the key file that belongs to this store",
			w.path,
		)
	}
	nonce, sealed := blob[headerBytes:headerBytes+chacha20poly1305.NonceSizeX], blob[headerBytes+chacha20poly1305.NonceSizeX:]
	secret, err := w.aead.Open(nil, nonce, sealed, associatedData(record))
	if err != nil {
		return nil, errors.New("damaged, altered or swapped with another row")
	}
	return secret, nil
}
