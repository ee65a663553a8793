package keys

import (
	"bytes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/curfew-id/curfew/provider/filemode"
	"github.com/curfew-id/curfew/storage"
)

// wrapper encrypts the secrets in the store under the key of the key file. A copy of the store alone does not reveal
// them.
type wrapper struct {
	path  string // of the key file
	keyID []byte // identifies the key in each wrapped secret, to recognize a wrong key file
	aead  cipher.AEAD
	audit storage.AuditKey // see ReadAuditKey
}

// A wrapped secret is: one byte of version, the id of the key file's key, nonce, encrypted secret.
const (
	wrapVersion    = 1
	wrapKeyIDBytes = 8
)

// openKeyFile reads the key file. With mayCreate it creates a missing one.
func openKeyFile(path string, mayCreate bool) (*wrapper, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && mayCreate:
		if err := createKeyFile(path); err != nil {
			return nil, fmt.Errorf("make key file: %w", err)
		}
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf(
			"key file %s is missing, and the keys in the store cannot be unwrapped without it: "+
				"restore it, or set key_file to where it is",
			path,
		)
	case err != nil:
		return nil, fmt.Errorf("read key file: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("key file %s is not a regular file", path)
	}
	if info != nil { // nil: the file was created just now
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
	return &wrapper{path: path, keyID: id[:wrapKeyIDBytes], aead: aead, audit: deriveAuditKey(key)}, nil
}

// createKeyFile writes a new key to a temporary file and renames it, so that a crash leaves a complete key file or
// none.
func createKeyFile(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintln(f, Random())
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

// associatedData returns the data that a wrapped secret is bound to. It differs for each record, so that the secrets of
// two records cannot be swapped.
func associatedData(record storage.Key) []byte {
	return fmt.Appendf(nil, "key %d:%s%d:%s%s", len(record.ID), record.ID, len(record.Use), record.Use, record.Alg)
}

func (w *wrapper) wrap(record storage.Key, secret []byte) []byte {
	nonce := randomBytes(chacha20poly1305.NonceSizeX)
	beginning := slices.Concat([]byte{wrapVersion}, w.keyID, nonce)
	return w.aead.Seal(beginning, nonce, secret, associatedData(record))
}

func (w *wrapper) unwrap(record storage.Key) ([]byte, error) {
	const nonceStart = 1 + wrapKeyIDBytes
	const secretStart = nonceStart + chacha20poly1305.NonceSizeX
	wrapped := record.Wrapped
	if len(wrapped) < secretStart || wrapped[0] != wrapVersion {
		return nil, errors.New("no wrapped secret of a form that this release knows")
	}
	keyID := wrapped[1:nonceStart]
	if !bytes.Equal(keyID, w.keyID) {
		return nil, fmt.Errorf(
			"wrapped with another key than that of the key file %s: restore the key file that belongs to this store",
			w.path,
		)
	}
	nonce := wrapped[nonceStart:secretStart]
	encrypted := wrapped[secretStart:]
	secret, err := w.aead.Open(nil, nonce, encrypted, associatedData(record))
	if err != nil {
		return nil, errors.New("damaged, altered or swapped with another row")
	}
	return secret, nil
}
