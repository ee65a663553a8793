package keys

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

func mustRefuse(t *testing.T, p *fixture, wants ...string) {
	t.Helper()
	_, err := Load(t.Context(), p.cfg)
	if err == nil {
		t.Fatal("loaded, want an error")
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func TestCopiedStoreWithoutItsKeyFileIsRefused(t *testing.T) {
	p := mustFixture(t)
	p.mustLoad(t)
	own := p.cfg.File

	p.cfg.File = filepath.Join(t.TempDir(), "elsewhere.key")
	mustRefuse(t, p, p.cfg.File, "missing", "restore it", "key_file")
	if _, err := os.Stat(p.cfg.File); err == nil {
		t.Error("a key file was made for a store that has keys already")
	}

	other := mustFixture(t)
	other.mustLoad(t)
	p.cfg.File = other.cfg.File
	mustRefuse(t, p, "wrapped with another key", p.cfg.File)

	p.cfg.File = own
	p.mustLoad(t)
}

func TestKeyFileOpenToOthersIsRefused(t *testing.T) {
	p := mustFixture(t)
	p.mustLoad(t)
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o660, 0o666} {
		if err := os.Chmod(p.cfg.File, mode); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, p, p.cfg.File, "is open to ", "chmod 600")
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		if err := os.Chmod(p.cfg.File, mode); err != nil {
			t.Fatal(err)
		}
		p.mustLoad(t)
	}
}

func TestDamagedKeyFileIsRefused(t *testing.T) {
	p := mustFixture(t)
	p.mustLoad(t)
	for _, text := range []string{
		"",
		"\n",
		"short",
		strings.Repeat("A", 44),
		strings.Repeat("!", 43),
		"-----BEGIN KEY-----",
	} {
		if err := os.WriteFile(p.cfg.File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, p, p.cfg.File, "does not hold 32 bytes")
	}
	p.cfg.File = t.TempDir()
	mustRefuse(t, p, "not a regular file")
}

func TestExistingKeyFileIsTakenForANewStore(t *testing.T) {
	p, other := mustFixture(t), mustFixture(t)
	p.mustLoad(t)
	before, err := os.ReadFile(p.cfg.File)
	if err != nil {
		t.Fatal(err)
	}
	other.cfg.File = p.cfg.File
	other.mustLoad(t)
	if after, _ := os.ReadFile(p.cfg.File); string(after) != string(before) {
		t.Error("the key file was overwritten")
	}
}

func TestTamperedOrSwappedRowsAreRefused(t *testing.T) {
	p := mustFixture(t)
	p.cfg.Algorithms = []string{ES256, EdDSA}
	p.mustLoad(t)
	rows := p.mustListKeys(t)
	of := func(use, alg string) storage.Key {
		i := slices.IndexFunc(rows, func(k storage.Key) bool { return k.Use == use && k.Alg == alg })
		k := rows[i]
		k.Wrapped = slices.Clone(k.Wrapped)
		return k
	}
	stranger := mustFixture(t)
	stranger.mustLoad(t)
	foreign := stranger.mustListKeys(t)
	foreignSign := foreign[slices.IndexFunc(foreign, func(k storage.Key) bool { return k.Use == UseSign })]

	tests := map[string]func() storage.Key{
		"a bit of the secret flipped": func() storage.Key {
			k := of(
				UseSeal,
				"",
			)
			k.Wrapped[len(k.Wrapped)-1] ^= 1
			return k
		},
		"a bit of the nonce flipped": func() storage.Key { k := of(UseSeal, ""); k.Wrapped[12] ^= 1; return k },
		"truncated": func() storage.Key {
			k := of(
				UseSeal,
				"",
			)
			k.Wrapped = k.Wrapped[:20]
			return k
		},
		"no secret at all": func() storage.Key { k := of(UseSign, ES256); k.Wrapped = nil; return k },
		"another version":  func() storage.Key { k := of(UseSeal, ""); k.Wrapped[0] = 9; return k },
		"another row's secret": func() storage.Key {
			k := of(
				UseRefresh,
				"",
			)
			k.Wrapped = of(UsePairwise, "").Wrapped
			return k
		},
		"another use":       func() storage.Key { k := of(UseRefresh, ""); k.Use = UseSeal; return k },
		"another algorithm": func() storage.Key { k := of(UseSign, ES256); k.Alg = RS256; return k },
		"another public key": func() storage.Key {
			k := of(
				UseSign,
				ES256,
			)
			k.Public = of(UseSign, EdDSA).Public
			return k
		},
		"no public key": func() storage.Key { k := of(UseSign, ES256); k.Public = nil; return k },
		// Who can write the store but does not have the key file must not get a key of his own published.
		"a stranger's key": func() storage.Key { return foreignSign },
		"a stranger's key without secret": func() storage.Key {
			k := foreignSign
			k.Wrapped = nil
			return k
		},
		"a stranger's key with a secret of ours": func() storage.Key {
			k := foreignSign
			k.Wrapped = of(UseSign, ES256).Wrapped
			return k
		},
	}
	for name, tamper := range tests {
		t.Run(name, func(t *testing.T) {
			bad := tamper()
			if err := p.store.PutKeys(t.Context(), p.mustListKeys(t), []storage.Key{bad}, nil); err != nil {
				t.Fatal(err)
			}
			mustRefuse(t, p, "key "+bad.ID)
			var remove []string
			if bad.ID == foreignSign.ID {
				remove = []string{bad.ID}
			}
			if err := p.store.PutKeys(t.Context(), p.mustListKeys(t), rows, remove); err != nil {
				t.Fatal(err)
			}
			p.mustLoad(t)
		})
	}
}

func TestPublicKeyOfARetiredRowCannotBeReplaced(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	first := kidOf(t, r)
	mustRotate(t, p, r, true)
	p.mustAdvance(t, r, time.Minute)
	rows := p.mustListKeys(t)
	retired := rows[slices.IndexFunc(rows, func(k storage.Key) bool { return k.ID == first })]
	other := rows[slices.IndexFunc(rows, func(k storage.Key) bool { return k.Use == UseSign && k.ID != first })]
	retired.Public = other.Public
	if err := p.store.PutKeys(t.Context(), p.mustListKeys(t), []storage.Key{retired}, nil); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, p, "key "+first, "not the one the row is named for")
}

func TestWrappedClientSecretIsThatClientsOnly(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	wrapped, err := r.WrapSecret("app", []byte("a secret that must be known"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.mustLoad(t).UnwrapSecret("app", wrapped); err != nil ||
		string(got) != "a secret that must be known" {
		t.Errorf("got %q, %v", got, err)
	}
	if strings.Contains(string(wrapped), "secret") {
		t.Error("the secret can be read")
	}
	if _, err := r.UnwrapSecret("other", wrapped); err == nil {
		t.Error("another client's secret was unwrapped")
	}
	if _, err := r.UnwrapSecret("app", p.mustListKeys(t)[0].Wrapped); err == nil {
		t.Error("a key was unwrapped as a client's secret")
	}
}

func TestBadRowLeavesTheRunningProviderAsItIs(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	before, _ := r.JWKS()
	bad := p.mustListKeys(t)[0]
	bad.Wrapped = bad.Wrapped[1:]
	if err := p.store.PutKeys(t.Context(), p.mustListKeys(t), []storage.Key{bad}, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.Maintain(t.Context(), p.now); err == nil {
		t.Error("maintenance took in a bad row")
	}
	if after, _ := r.JWKS(); string(after) != string(before) {
		t.Error("the JWKS changed")
	}
	mustSign(t, r, ES256, "JWT", idToken(p.now))
}

func TestNoSecretStandsInTheStoreUnwrapped(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	for _, row := range p.mustListKeys(t) {
		secret, err := r.wrapper.unwrap(row)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(row.Wrapped), string(secret[:16])) || strings.Contains(string(row.Public), `"d"`) {
			t.Errorf("%s %s: the secret stands in the row", row.Use, row.ID)
		}
	}
}
