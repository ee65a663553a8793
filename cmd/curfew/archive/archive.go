// Package archive writes and reads files that must be complete and secret: backups of the store and of the key file.
// It encrypts them with age, if there is a recipient or a passphrase (https://age-encryption.org/v1).
package archive

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
)

// ErrEncrypted: the file is encrypted, and no identity and no passphrase was given.
var ErrEncrypted = errors.New("the file is encrypted: name the age identity or the passphrase file")

// magic is the beginning of an encrypted file.
const magic = "age-encryption.org/"

// ParseRecipients returns the age recipients of the lines (age1…). It ignores empty lines and comments (#).
func ParseRecipients(lines []string) ([]age.Recipient, error) {
	var recipients []age.Recipient
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r, err := age.ParseRecipients(strings.NewReader(line))
		if err != nil {
			return nil, fmt.Errorf("%q is not an age recipient (age1…)", line)
		}
		recipients = append(recipients, r...)
	}
	return recipients, nil
}

// ReadRecipients returns the recipients in a file.
func ReadRecipients(path string) ([]age.Recipient, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	recipients, err := ParseRecipients(strings.Split(string(text), "\n"))
	if err == nil && len(recipients) == 0 {
		err = errors.New("it has no recipient")
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return recipients, nil
}

// ReadIdentities returns the identities in a file that age-keygen wrote.
func ReadIdentities(path string) ([]age.Identity, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	identities, err := age.ParseIdentities(strings.NewReader(string(text)))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return identities, nil
}

// ReadPassphrase returns the passphrase in a file: its first line.
func ReadPassphrase(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	passphrase, _, _ := strings.Cut(string(text), "\n")
	passphrase = strings.TrimSuffix(passphrase, "\r")
	if passphrase == "" {
		return "", fmt.Errorf("read %s: its first line is empty, and should be the passphrase", path)
	}
	return passphrase, nil
}

// Write writes to w what content writes, encrypted to the recipients. Without recipients it does not encrypt.
func Write(w io.Writer, recipients []age.Recipient, content func(io.Writer) error) error {
	if len(recipients) == 0 {
		return content(w)
	}
	encrypted, err := age.Encrypt(w, recipients...)
	if err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	if err := content(encrypted); err != nil {
		return err
	}
	if err := encrypted.Close(); err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	return nil
}

// WriteFile does what Write does, into a file that only its owner can read. The file has its name only when it is
// complete and on disk. An existing file is replaced.
func WriteFile(path string, recipients []age.Recipient, content func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".partial-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name()) // its error would hide the first one
		}
	}()
	buffered := bufio.NewWriterSize(file, 1<<20)
	err = Write(buffered, recipients, content)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(path))
}

// SyncFolder syncs a folder, so that a new name in it survives a crash.
func SyncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Reader returns the content of r, decrypted if it is encrypted. ErrEncrypted: identities is empty then.
func Reader(r io.Reader, identities []age.Identity) (io.Reader, error) {
	buffered := bufio.NewReaderSize(r, 1<<20)
	first, _ := buffered.Peek(len(magic)) // a shorter file is not encrypted
	switch {
	case string(first) != magic:
		return buffered, nil
	case len(identities) == 0:
		return nil, ErrEncrypted
	}
	content, err := age.Decrypt(buffered, identities...)
	if err != nil {
		return nil, fmt.Errorf("decrypt: %w", err)
	}
	return content, nil
}
