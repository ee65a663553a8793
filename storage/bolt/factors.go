package bolt

import (
	"context"
	"fmt"

	"github.com/curfew-id/curfew/storage"
)

// Factors implements storage.FactorStore.
func (s *Store) Factors(ctx context.Context, subject string) (storage.Factors, error) {
	return read(ctx, s, func(t *tx) (storage.Factors, error) { return t.factors(subject), nil })
}

// ChangeFactors implements storage.FactorStore.
func (s *Store) ChangeFactors(
	ctx context.Context,
	subject string,
	change func(*storage.Factors) error,
	e ...storage.Event,
) error {
	return s.update(ctx, func(t *tx) error {
		if !t.userEnabled(subject) {
			return fmt.Errorf("change factors: %w", storage.ErrRevoked)
		}
		f := t.factors(subject)
		if err := change(&f); err != nil {
			return err
		}
		f.Subject = subject
		t.putFactors(f)
		t.appendEvents(e)
		return nil
	})
}

// factors returns a user's factors. Without a record it returns the zero value with Subject.
func (t *tx) factors(subject string) storage.Factors {
	f, _ := load[storage.Factors](t, factors, []byte(subject))
	f.Subject = subject
	return f
}

// checkFactors returns an error if f may not be stored.
func (t *tx) checkFactors(f *storage.Factors) error {
	switch _, known := t.user(f.Subject); {
	case !known:
		return storage.ErrNotFound
	case f.Revision != t.factors(f.Subject).Revision:
		return storage.ErrChanged
	}
	return nil
}

// putFactors stores the factors of a user and counts the revision up.
func (t *tx) putFactors(f storage.Factors) {
	f.Revision++
	t.store(factors, []byte(f.Subject), f)
}

// forgetBrowsers removes the remembered browsers of a user: sign-ins with them need the second factor again.
func (t *tx) forgetBrowsers(subject string) {
	if f := t.factors(subject); len(f.Browsers) > 0 {
		f.ForgetBrowsers()
		t.putFactors(f)
	}
}
