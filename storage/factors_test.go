package storage

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestSignCounterMustRise(t *testing.T) {
	for _, c := range []struct {
		stored, sent uint32
		want         error
	}{
		{0, 0, nil}, // an authenticator without a counter
		{0, 5, nil},
		{5, 6, nil},
		{5, 5, ErrAlreadyUsed},
		{5, 4, ErrAlreadyUsed},
		{5, 0, ErrAlreadyUsed},
	} {
		f := Factors{Passkeys: []Passkey{{ID: []byte("a"), SignCount: c.stored}}}
		err := f.UsePasskey([]byte("a"), c.sent, true, time.Unix(9, 0))
		if !errors.Is(err, c.want) {
			t.Errorf("counter %d after %d: got %v, want %v", c.sent, c.stored, err, c.want)
		}
		if used := f.Passkeys[0].BackedUp; used != (c.want == nil) {
			t.Errorf("counter %d after %d: stored: %v", c.sent, c.stored, used)
		}
	}
}

func TestCodeOfAnEarlierStepIsRefusedToo(t *testing.T) {
	created := time.Unix(1, 0)
	f := Factors{TOTP: &TOTP{Created: created}}
	for _, c := range []struct {
		step int64
		want error
	}{{10, nil}, {10, ErrAlreadyUsed}, {9, ErrAlreadyUsed}, {11, nil}} {
		if err := f.UseTOTP(created, c.step, created); !errors.Is(err, c.want) {
			t.Errorf("step %d: got %v, want %v", c.step, err, c.want)
		}
	}
	if err := f.UseTOTP(created.Add(1), 12, created); !errors.Is(err, ErrNotFound) {
		t.Errorf("code of a replaced secret: got %v, want %v", err, ErrNotFound)
	}
}

func TestRememberedBrowsersAreBounded(t *testing.T) {
	var f Factors
	at := time.Unix(100, 0)
	for i := range 3 * maxRememberedBrowsers {
		hash := HashOf(fmt.Sprint(i))
		f.RememberBrowser(RememberedBrowser{SecretHash: hash, Created: at, Expires: at.Add(time.Hour)})
		if !f.Remembers(hash, at) || f.Remembers(hash, at.Add(time.Hour)) {
			t.Fatal("a browser is remembered until it expires")
		}
	}
	if len(f.Browsers) != maxRememberedBrowsers {
		t.Errorf("got %d browsers, want %d", len(f.Browsers), maxRememberedBrowsers)
	}
}
