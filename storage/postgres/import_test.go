package postgres

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
	"github.com/curfew-id/curfew/storage/transfer"
)

// TestCopyOfAFileGoesOnWhereTheFileStopped: sessions, tokens, uses, terminations under way, deliveries and the audit
// trail.
func TestCopyOfAFileGoesOnWhereTheFileStopped(t *testing.T) {
	target := mustReplicas(t, 1)[0]
	file, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "curfew.db")})
	must(t, err)
	defer file.Close()
	ctx := t.Context()
	must(t, file.PutUser(ctx, storage.User{Subject: "ann", Name: "ann", Email: "ann@example.org", EmailVerified: true}))
	must(t, file.PutUser(ctx, storage.User{Subject: "gone", Name: "gone"}))
	must(t, file.PutClient(ctx, storage.Client{Metadata: storage.Metadata{ClientID: "app"}}))
	own := storage.Client{Metadata: storage.Metadata{ClientID: "own"}, Dynamic: true}
	must(t, file.RegisterClient(ctx, own, storage.Hash{}, start))
	for _, id := range []string{"s", "ended", "bulk1", "bulk2"} {
		must(t, file.CreateSession(ctx, newSession(id), storage.Event{At: start, Kind: "session.created", Subject: "ann"}))
	}
	used := newCode("code", 0)
	_, err = file.Redeem(ctx, used, start, issue(used))
	must(t, err)
	must(t, file.MarkUsed(ctx, "jti", start, start.Add(time.Hour), start))
	must(t, file.PutConsent(ctx, storage.Consent{Subject: "ann", Client: "app", Scope: []string{"openid"}, At: start}))
	must(t, file.PutKeys(ctx, nil, []storage.Key{{ID: "key", Use: "sig", Created: start}}, nil))
	plan := func(end storage.Termination) storage.Plan {
		return storage.Plan{
			Report: &storage.Report{
				ID:          "report of " + string(end.Session.ID),
				Subject:     "ann",
				EndedAt:     start,
				DeleteAfter: start.Add(time.Hour),
			},
			Deliveries: []storage.Delivery{{
				ID:          "delivery of " + string(end.Session.ID),
				State:       storage.DeliveryPending,
				Created:     start,
				NextAttempt: start,
				GiveUpAt:    start.Add(time.Hour),
			}},
		}
	}
	end := endRequest(storage.Selector{Sessions: []storage.SessionID{"ended"}})
	_, _, err = file.EndSessions(ctx, end, start, 0, plan)
	must(t, err)
	end.Selector, end.Change = storage.Selector{Subject: "gone"}, storage.Change{RemoveUser: "gone"}
	_, _, err = file.EndSessions(ctx, end, start, 0, plan)
	must(t, err)
	bulk := endRequest(storage.Selector{Sessions: []storage.SessionID{"bulk1", "bulk2"}})
	bulk.Cause.ID = "bulk"
	_, more, err := file.EndSessions(ctx, bulk, start, 1, plan)
	must(t, err)
	if !more {
		t.Fatal("the bulk logout is finished")
	}

	export := func(visit func(transfer.Record) error) error { return file.Export(ctx, visit) }
	_, err = target.Import(ctx, true, export)
	must(t, err)
	counts, err := target.Import(ctx, false, export)
	must(t, err)
	if counts["users"] != 1 || counts["clients"] != 2 || counts["removed subjects"] != 1 || counts["sessions"] != 2 {
		t.Errorf("got %v", counts)
	}
	if _, err := target.Import(ctx, false, export); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("a second copy: got %v, want %v", err, ErrNotEmpty)
	}

	_, err = target.SessionBySecret(ctx, storage.HashOf("secret of s"), start)
	must(t, err)
	_, _, err = target.Token(ctx, storage.HashOf("token of code"), start)
	must(t, err)
	if r, err := target.Redeem(ctx, used, start, issue(used)); err != nil || !r.Reused {
		t.Errorf("a code that was used: got %+v, %v", r, err)
	}
	if err := target.MarkUsed(ctx, "jti", start, start.Add(time.Hour), start); !errors.Is(err, storage.ErrAlreadyUsed) {
		t.Errorf("an id that was used: got %v", err)
	}
	_, err = target.Refresh(ctx, storage.RefreshRequest{
		Token: storage.HashOf("refresh of code"), NewToken: storage.HashOf("next"), Client: "app",
	}, start, func(g storage.Grant, _ *storage.Session) (storage.Issuance, error) {
		return storage.Issuance{Grant: g}, nil
	})
	must(t, err)
	for _, id := range []storage.SessionID{"ended", "bulk1", "bulk2"} {
		if _, err := target.Session(ctx, id, start); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("session %s: got %v", id, err)
		}
	}
	list, more, err := target.EndSessions(ctx, bulk, start, 1, plan)
	must(t, err)
	if len(list) != 1 || more {
		t.Errorf("the bulk logout goes on with %d sessions, more is %v", len(list), more)
	}
	if err := target.PutUser(ctx, storage.User{Subject: "gone", Name: "again"}); !errors.Is(err, storage.ErrExists) {
		t.Errorf("a removed subject: got %v", err)
	}
	for kind, compare := range map[string]func(storage.Store) (any, error){
		"user":    func(s storage.Store) (any, error) { return s.UserByLogin(ctx, "ann@example.org") },
		"consent": func(s storage.Store) (any, error) { return s.Consent(ctx, "ann", "app") },
		"client":  func(s storage.Store) (any, error) { return s.Client(ctx, "own") },
		"report":  func(s storage.Store) (any, error) { return s.Report(ctx, "report of ended") },
		"delivery": func(s storage.Store) (any, error) {
			return s.Delivery(ctx, "delivery of ended")
		},
		"keys": func(s storage.Store) (any, error) { return s.ListKeys(ctx) },
	} {
		want, err := compare(file)
		must(t, err)
		got, err := compare(target)
		must(t, err)
		mustSame(t, kind, got, want)
	}
	lines, _, err := target.ListEvents(ctx, storage.EventFilter{}, storage.Page{})
	must(t, err)
	var sequence uint64
	var hash storage.Hash
	for _, e := range lines {
		if !e.Follows(sequence, hash) {
			t.Fatalf("line %d does not follow line %d", e.Seq, sequence)
		}
		sequence, hash = e.Seq, e.Hash
	}
}

// mustSame stops the test unless two records are the same.
func mustSame(t *testing.T, kind string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: got %+v, want %+v", kind, got, want)
	}
}
