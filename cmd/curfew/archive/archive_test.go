package archive_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"github.com/curfew-id/curfew/cmd/curfew/archive"
)

func writeText(w io.Writer) error {
	_, err := io.WriteString(w, "a secret")
	return err
}

func TestArchiveIsReadableOnlyWithTheIdentity(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	recipients, err := archive.ParseRecipients([]string{"# the vault", "", identity.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "archive")
	if err := archive.WriteFile(path, recipients, writeText); err != nil {
		t.Fatal(err)
	}
	open := func(identities ...age.Identity) (string, error) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := archive.Reader(f, identities)
		if err != nil {
			return "", err
		}
		text, err := io.ReadAll(r)
		return string(text), err
	}
	if text, err := open(identity); err != nil || text != "a secret" {
		t.Errorf("got %q and %v with the identity", text, err)
	}
	if text, err := open(other); err == nil {
		t.Errorf("got %q with another identity, want an error", text)
	}
	if _, err := open(); !errors.Is(err, archive.ErrEncrypted) {
		t.Errorf("got %v without an identity, want ErrEncrypted", err)
	}
}

func TestFileIsPrivateAndComplete(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "archive")
	if err := archive.WriteFile(path, nil, writeText); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v and mode %v, want 0600", err, info.Mode())
	}
	failure := errors.New("the server stopped")
	err = archive.WriteFile(path, nil, func(w io.Writer) error {
		if err := writeText(w); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("got %v, want the error of the content", err)
	}
	names, err := os.ReadDir(folder)
	if err != nil || len(names) != 1 {
		t.Errorf("got %v and %v, want the earlier file and nothing else", names, err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "a secret" {
		t.Errorf("got %q and %v, want the earlier file unchanged", text, err)
	}
}
