package bolt

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Every index entry is removed with its record, at the latest by the sweep. A store that all users have left holds
// only the records that are kept for ever.
func TestNothingIsLeftBehind(t *testing.T) {
	ctx := t.Context()
	s := mustOpen(t, Options{Path: filepath.Join(t.TempDir(), "curfew.db")})
	start := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return start.Add(d) }
	for _, sub := range []string{"ann", "bob"} {
		must(t, s.PutUser(ctx, storage.User{Subject: sub, Name: sub, Email: sub + "@example.org"}))
		must(
			t,
			s.PutOneTimeLink(
				ctx,
				storage.OneTimeLink{Hash: storage.HashOf(sub), Purpose: "reset", Subject: sub, Expires: at(time.Hour)},
				storage.Event{Subject: sub},
			),
		)
	}
	for _, client := range []string{"app", "other"} {
		must(t, s.PutClient(ctx, storage.Client{Metadata: storage.Metadata{ClientID: client}}))
		must(t, s.PutToken(ctx, storage.Token{Hash: storage.HashOf(client), Client: client, Expires: at(time.Hour)}))
		must(t, s.PutConsent(ctx, storage.Consent{Subject: "bob", Client: client, At: start}))
		must(t, s.PutConsent(ctx, storage.Consent{Subject: "ann", Client: client, At: start}))
	}
	redeem := func(id storage.SessionID, sub, client string, n int, offline bool) {
		name := fmt.Sprint(id, client, n)
		code := storage.Code{
			ID:      name,
			Client:  client,
			Subject: sub,
			Session: id,
			SID:     "sid " + name,
			Issued:  at(time.Minute),
			Expires: at(2 * time.Minute),
		}
		for range 1 + n%2 { // every second code is used twice
			_, err := s.Redeem(
				ctx,
				code,
				at(time.Minute),
				func(session storage.Session, m storage.ClientSession) (storage.Issuance, error) {
					g := storage.Grant{
						ID:          "grant " + name,
						Created:     at(time.Minute),
						LastUsed:    at(time.Minute),
						RefreshHash: storage.HashOf("r0" + name),
						IdleTimeout: 24 * time.Hour,
					}
					if !offline {
						g.Session, g.IdleTimeout, g.Expires = session.ID, 0, at(30*time.Minute)
					}
					return storage.Issuance{
						Grant:  g,
						Tokens: []storage.Token{{Hash: storage.HashOf("t" + name), SID: m.SID, Expires: at(time.Hour)}},
					}, nil
				},
			)
			must(t, err)
		}
		for i := range 3 {
			_, err := s.Refresh(
				ctx,
				storage.RefreshRequest{
					Token:    storage.HashOf(fmt.Sprint("r", i, name)),
					NewToken: storage.HashOf(fmt.Sprint("r", i+1, name)),
					Client:   client,
				},
				at(2*time.Minute),
				func(g storage.Grant, _ *storage.Session) (storage.Issuance, error) {
					return storage.Issuance{Grant: g}, nil
				},
			)
			if n%2 == 0 {
				must(t, err)
			}
		}
	}
	for i := range 6 {
		id, sub := storage.SessionID(fmt.Sprint("s", i)), []string{"ann", "bob"}[i%2]
		must(t, s.CreateSession(ctx, storage.Session{
			ID:          id,
			SecretHash:  storage.HashOf(string(id)),
			Subject:     sub,
			Created:     start,
			LastActive:  start,
			IdleTimeout: time.Hour,
			Expires:     at(8 * time.Hour),
		}, storage.Event{Subject: sub}))
		must(t, s.Touch(ctx, id, at(5*time.Minute)))
		_, err := s.Reauthenticate(ctx, id, storage.Authentication{
			SecretHash:  storage.HashOf("new " + string(id)),
			IdleTimeout: 2 * time.Hour,
			Expires:     at(9 * time.Hour),
		}, at(6*time.Minute), storage.Event{Subject: sub})
		must(t, err)
		for n := range 3 {
			redeem(id, sub, "app", n, false)
			redeem(id, sub, "other", n, n == 2)
		}
	}
	must(t, s.MarkUsed(ctx, "jti", start, at(time.Hour), start))
	must(t, s.DeleteToken(ctx, storage.HashOf("app")))

	plan := func(e storage.Termination) storage.Plan {
		id := "r " + e.Cause.ID + string(e.Session.ID)
		return storage.Plan{
			Report: &storage.Report{
				ID:          id,
				Subject:     e.User.Subject,
				EndedAt:     e.EndedAt,
				DeleteAfter: at(24 * time.Hour),
				Entries:     []storage.ReportEntry{{Kind: "client_session", Client: "app"}},
			},
			Deliveries: []storage.Delivery{
				{
					ID:          "d " + id,
					Report:      id,
					Client:      "app",
					Host:        "h",
					State:       storage.DeliveryPending,
					Created:     e.EndedAt,
					NextAttempt: e.EndedAt,
					GiveUpAt:    at(24 * time.Hour),
				},
			},
		}
	}
	end := func(name string, sel storage.Selector, when time.Time, change storage.Change, limit int) {
		for more := true; more; {
			var err error
			_, more, err = s.EndSessions(
				ctx,
				storage.EndRequest{Selector: sel, Cause: storage.Cause{ID: name}, Change: change},
				when,
				limit,
				plan,
			)
			must(t, err)
			change = storage.Change{}
		}
	}
	end(
		"1",
		storage.Selector{Sessions: []storage.SessionID{"s0"}, Client: "app"},
		at(10*time.Minute),
		storage.Change{},
		0,
	)
	end(
		"2",
		storage.Selector{Sessions: []storage.SessionID{"s0"}},
		at(10*time.Minute),
		storage.Change{UseLink: storage.HashOf("ann")},
		0,
	)
	end("3", storage.Selector{Client: "other"}, at(11*time.Minute), storage.Change{RemoveClient: "other"}, 1)
	end(
		"4",
		storage.Selector{Subject: "bob", IncludeOffline: true},
		at(12*time.Minute),
		storage.Change{RemoveUser: "bob"},
		1,
	)
	list, err := s.ClaimDeliveries(ctx, at(13*time.Minute), time.Minute, 3, nil)
	must(t, err)
	for i, d := range list {
		_, err := s.RecordOutcomes(ctx, []storage.DeliveryOutcome{
			{
				ID:    d.ID,
				Lease: d.Lease,
				State: []storage.DeliveryState{
					storage.DeliveryDone,
					storage.DeliveryFailed,
					storage.DeliveryPending,
				}[i%3],
				NextAttempt: at(20 * time.Minute),
			},
		})
		must(t, err)
	}
	must(t, s.RetryDelivery(ctx, list[1].ID, at(14*time.Minute), nil, storage.Event{}))
	must(t, s.CancelDelivery(ctx, list[2].ID, nil, storage.Event{}))
	end("5", storage.Selector{Expired: true}, at(100*time.Hour), storage.Change{RemoveClient: "app"}, 1)

	for n := 1; n > 0; {
		n, err = s.Sweep(ctx, at(1000*time.Hour), 7)
		must(t, err)
	}
	for n := 1; n > 0; { // the keys that the records of the first round had left in the order of expiry, and the long cutoff
		n, err = s.Sweep(ctx, at(5000*time.Hour), 7)
		must(t, err)
	}
	kept := map[table]bool{
		meta:            true,
		users:           true,
		logins:          true,
		removedSubjects: true,
		consents:        true,
		events:          true,
		eventsByUser:    true,
	}
	must(t, s.view(ctx, func(tx *tx) error {
		for at, name := range tableNames {
			for k, v := range tx.scanPrefix(table(at), nil) {
				if !kept[table(at)] {
					t.Errorf("%s still has %q → %q", name, k, v)
				}
			}
		}
		if n := tx.bucket(sessions).Sequence(); n != 0 {
			t.Errorf("%d sessions are counted", n)
		}
		if list := tx.userConsents("ann"); len(list) != 0 {
			t.Errorf("consents to clients that are gone: %v", list)
		}
		return nil
	}))
}
