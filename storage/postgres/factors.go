package postgres

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
		t.lockGates(gateOf(subject))
		if len(e) > 0 {
			t.lockState()
		}
		if u, ok := t.user(subject); !ok || u.Disabled {
			return fmt.Errorf("change factors: %w", storage.ErrRevoked)
		}
		f := t.factors(subject)
		if t.err != nil {
			return t.err
		}
		if err := change(&f); err != nil {
			return err
		}
		f.Subject = subject
		t.putFactors(f)
		t.appendEvents(e)
		return nil
	})
}

// factors returns a user's factors. Without a record, it returns factors that are empty.
func (t *tx) factors(subject string) storage.Factors {
	var value []byte
	t.queryRow(`SELECT record FROM @factors WHERE subject = $1`, []any{subject}, &value)
	f := decode[storage.Factors](t, value)
	f.Subject = subject
	return f
}

// checkFactors returns an error if f must not be stored.
func (t *tx) checkFactors(f *storage.Factors) error {
	if _, exists := t.user(f.Subject); !exists {
		return storage.ErrNotFound
	}
	if f.Revision != t.factors(f.Subject).Revision {
		return storage.ErrChanged
	}
	return nil
}

// putFactors stores the factors of a user.
func (t *tx) putFactors(f storage.Factors) {
	f.Revision++
	t.exec(
		`INSERT INTO @factors (subject, record) VALUES ($1, $2)
		ON CONFLICT (subject) DO UPDATE SET record = EXCLUDED.record`,
		f.Subject, t.encode(f),
	)
}

// forgetBrowsers removes the browsers in which the user is not asked for the second factor.
func (t *tx) forgetBrowsers(subject string) {
	if f := t.factors(subject); len(f.Browsers) > 0 {
		f.ForgetBrowsers()
		t.putFactors(f)
	}
}
