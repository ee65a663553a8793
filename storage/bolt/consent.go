package bolt

import (
	"context"
	"fmt"

	"github.com/curfew-id/curfew/storage"
)

// PutConsent implements storage.Consents.
func (s *Store) PutConsent(ctx context.Context, c storage.Consent) error {
	return s.update(ctx, func(t *tx) error {
		if t.enabledClient(c.Client) == nil || !t.userEnabled(c.Subject) {
			return fmt.Errorf("put consent: %w", storage.ErrRevoked)
		}
		if t.get(consents, joinKey(c.Subject, c.Client)) == nil && len(t.userConsents(c.Subject)) >= storage.MaxConsents {
			return fmt.Errorf("put consent: %w", storage.ErrLimit)
		}
		c.At = truncateToMillis(c.At)
		c.Sequence = t.sequence()
		t.store(consents, joinKey(c.Subject, c.Client), c)
		t.put(consentsByClient, joinKey(c.Client, c.Subject), nil)
		return nil
	})
}

// Consent implements storage.Consents.
func (s *Store) Consent(ctx context.Context, subject, client string) (storage.Consent, error) {
	return find(ctx, s, func(t *tx) (storage.Consent, error) {
		c, ok := load[storage.Consent](t, consents, joinKey(subject, client))
		if !ok || !t.consentActive(c) {
			return storage.Consent{}, fmt.Errorf("find consent: %w", storage.ErrNotFound)
		}
		return c, nil
	})
}

// ListConsents implements storage.Consents.
func (s *Store) ListConsents(ctx context.Context, subject string) ([]storage.Consent, error) {
	return read(ctx, s, func(t *tx) (list []storage.Consent, err error) {
		for _, c := range t.userConsents(subject) {
			if t.consentActive(c) {
				list = append(list, c)
			}
		}
		return list, nil
	})
}

// consentActive reports whether the client of a consent still exists. A consent for a removed client does not count for
// a newer client with the same id.
func (t *tx) consentActive(c storage.Consent) bool {
	client := t.client(c.Client)
	return client != nil && c.Sequence >= client.Sequence
}

// userConsents lists all consents of a user, including those for removed clients.
func (t *tx) userConsents(subject string) (list []storage.Consent) {
	for _, v := range t.scanPrefix(consents, keyPrefix(subject)) {
		if c, ok := decode[storage.Consent](t, consents, v); ok {
			list = append(list, c)
		}
	}
	return list
}

// removeConsent removes a consent, if it exists.
func (t *tx) removeConsent(subject, client string) {
	t.delete(consents, joinKey(subject, client))
	t.delete(consentsByClient, joinKey(client, subject))
}
