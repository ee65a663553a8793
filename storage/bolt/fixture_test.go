package bolt

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// updateFixture makes TestOpensTheFilesOfAllSchemas write the fixture of the present schema anew:
//
//	go test ./storage/bolt -run TestOpensTheFilesOfAllSchemas -update
//
// Do that only while the schema is in no release. After a release its fixture never changes.
var updateFixture = flag.Bool("update", false, "write testdata/schema-N.db.gz of the present schema anew")

// fixtureStart is the time at which the fixture's records were made.
var fixtureStart = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func fixturePath(schema int) string {
	return filepath.Join("testdata", fmt.Sprintf("schema-%d.db.gz", schema))
}

// TestOpensTheFilesOfAllSchemas opens a file of each schema that a release wrote, and uses what is in it.
func TestOpensTheFilesOfAllSchemas(t *testing.T) {
	if *updateFixture {
		mustWriteFixture(t)
	}
	for schema := 1; schema <= Schema; schema++ {
		t.Run(fmt.Sprint("schema ", schema), func(t *testing.T) {
			path := mustUnpackFixture(t, schema)
			checkFixture(t, mustOpen(t, Options{Path: path}))
		})
	}
}

// mustUnpackFixture makes a file of an older schema.
func mustUnpackFixture(t *testing.T, schema int) (path string) {
	t.Helper()
	packed, err := os.ReadFile(fixturePath(schema))
	must(t, err)
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	must(t, err)
	content, err := io.ReadAll(reader)
	must(t, err)
	path = filepath.Join(t.TempDir(), "curfew.db")
	must(t, os.WriteFile(path, content, 0o600))
	return path
}

// mustWriteFixture fills a store and packs its file.
func mustWriteFixture(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "curfew.db")
	s := mustOpen(t, Options{Path: path})
	fillFixture(t, s)
	must(t, s.Close())
	content, err := os.ReadFile(path)
	must(t, err)
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, err = writer.Write(content)
	must(t, err)
	must(t, writer.Close())
	must(t, os.MkdirAll("testdata", 0o755))
	must(t, os.WriteFile(fixturePath(Schema), packed.Bytes(), 0o644))
}

// fixtureSession is the session of a user.
func fixtureSession(id, subject string) storage.Session {
	return storage.Session{
		ID:          storage.SessionID(id),
		SecretHash:  storage.HashOf(id),
		Subject:     subject,
		AuthTime:    fixtureStart,
		AMR:         []string{"pwd"},
		Created:     fixtureStart,
		LastActive:  fixtureStart,
		IdleTimeout: time.Hour,
		Expires:     fixtureStart.Add(8 * time.Hour),
	}
}

// fixtureCode is a code for a client.
func fixtureCode(id, client string, session storage.Session) storage.Code {
	return storage.Code{
		ID:      id,
		Client:  client,
		Subject: session.Subject,
		Session: session.ID,
		SID:     "sid-" + id,
		Issued:  fixtureStart,
		Expires: fixtureStart.Add(time.Minute),
	}
}

// redeemFixture redeems a code for a grant with a refresh token and an access token.
func redeemFixture(t *testing.T, s *Store, code storage.Code, offline bool) (storage.RedeemResult, error) {
	t.Helper()
	return s.Redeem(
		t.Context(),
		code,
		fixtureStart,
		func(session storage.Session, cs storage.ClientSession) (storage.Issuance, error) {
			grant := storage.Grant{
				ID:          "grant-" + code.ID,
				Scope:       []string{"openid"},
				Created:     fixtureStart,
				LastUsed:    fixtureStart,
				IdleTimeout: 24 * time.Hour,
				RefreshHash: storage.HashOf("refresh-" + code.ID),
			}
			if !offline {
				grant.Session, grant.IdleTimeout, grant.Expires = session.ID, 0, session.Expires
			}
			token := storage.Token{
				Hash:    storage.HashOf("token-" + code.ID),
				SID:     cs.SID,
				Issued:  fixtureStart,
				Expires: fixtureStart.Add(time.Hour),
			}
			return storage.Issuance{Grant: grant, Tokens: []storage.Token{token}}, nil
		},
	)
}

// fillFixture stores at least one record of each kind.
func fillFixture(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	for _, subject := range []string{"ann", "bob"} {
		must(t, s.PutUser(ctx, storage.User{
			Subject: subject,
			Name:    subject,
			Email:   subject + "@example.org",
			Claims:  map[string]any{"given_name": subject},
		}))
	}
	for _, client := range []string{"app", "other"} {
		must(
			t,
			s.PutClient(
				ctx,
				storage.Client{
					Metadata: storage.Metadata{ClientID: client, BackchannelLogoutURI: "https://app.example/logout"},
				},
			),
		)
	}
	ann, bob := fixtureSession("session-ann", "ann"), fixtureSession("session-bob", "bob")
	for _, session := range []storage.Session{ann, bob} {
		must(
			t,
			s.CreateSession(
				ctx,
				session,
				storage.Event{At: fixtureStart, Kind: "session.created", Subject: session.Subject},
			),
		)
		_, err := redeemFixture(t, s, fixtureCode("bound-"+session.Subject, "app", session), false)
		must(t, err)
	}
	_, err := redeemFixture(t, s, fixtureCode("offline-ann", "other", ann), true)
	must(t, err)
	must(
		t,
		s.PutConsent(ctx, storage.Consent{Subject: "ann", Client: "app", Scope: []string{"openid"}, At: fixtureStart}),
	)
	must(t, s.PutToken(ctx, storage.Token{
		Hash:    storage.HashOf("own"),
		Client:  "app",
		Issued:  fixtureStart,
		Expires: fixtureStart.Add(time.Hour),
	}))
	must(t, s.MarkUsed(ctx, "jti", fixtureStart, fixtureStart.Add(time.Hour), fixtureStart))
	must(t, s.PutKeys(ctx, nil, []storage.Key{{ID: "key", Created: fixtureStart}}, nil))
	must(t, s.PutOneTimeLink(ctx, storage.OneTimeLink{
		Hash:    storage.HashOf("link"),
		Purpose: "reset",
		Subject: "ann",
		Expires: fixtureStart.Add(time.Hour),
	}, storage.Event{Subject: "ann"}))
	must(t, s.CountAttempt(ctx, []storage.Hash{storage.HashOf("attempt")}, func(c []storage.Counter) error {
		c[0] = storage.Counter{Count: 3, Last: fixtureStart}
		return nil
	}))
	end := storage.EndRequest{
		Selector: storage.Selector{Subject: "bob"},
		Cause:    storage.Cause{ID: "cause", Reason: storage.ReasonAdmin},
	}
	_, _, err = s.EndSessions(ctx, end, fixtureStart, 0, fixturePlan)
	must(t, err)
}

// fixturePlan plans a report with one delivery.
func fixturePlan(end storage.Termination) storage.Plan {
	return storage.Plan{
		Report: &storage.Report{
			ID:          "report",
			Cause:       end.Cause,
			Subject:     end.User.Subject,
			EndedAt:     end.EndedAt,
			DeleteAfter: end.EndedAt.Add(24 * time.Hour),
			Entries: []storage.ReportEntry{
				{Kind: "client_session", Client: "app", Delivery: storage.DeliveryPending},
			},
		},
		Deliveries: []storage.Delivery{{
			ID:          "delivery",
			Report:      "report",
			Client:      "app",
			Host:        "app.example:443",
			Subject:     "bob",
			State:       storage.DeliveryPending,
			Created:     end.EndedAt,
			NextAttempt: end.EndedAt,
			GiveUpAt:    end.EndedAt.Add(24 * time.Hour),
		}},
	}
}

// checkFixture uses the records of fillFixture.
func checkFixture(t *testing.T, s *Store) {
	t.Helper()
	ctx, at := t.Context(), fixtureStart.Add(time.Minute)
	_, err := s.UserByLogin(ctx, "ANN@example.org") // an address that is not verified
	if !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	user, err := s.UserByLogin(ctx, "ANN")
	must(t, err)
	if user.Subject != "ann" || user.Claims["given_name"] != "ann" {
		t.Errorf("got user %+v", user)
	}
	session, err := s.SessionBySecret(ctx, storage.HashOf("session-ann"), at)
	must(t, err)
	if len(session.ClientSessions) != 2 || session.ClientSession("app").SID != "sid-bound-ann" {
		t.Errorf("got session %+v", session)
	}
	for _, hash := range []string{"token-bound-ann", "token-offline-ann", "own"} {
		_, _, err := s.Token(ctx, storage.HashOf(hash), at)
		must(t, err)
	}
	if _, err := s.SessionBySecret(ctx, storage.HashOf("session-bob"), at); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a session that was ended: got error %v", err)
	}
	for client, code := range map[string]string{"app": "bound-ann", "other": "offline-ann"} {
		refresh := storage.RefreshRequest{
			Token:    storage.HashOf("refresh-" + code),
			NewToken: storage.HashOf("next-" + code),
			Client:   client,
		}
		_, err = s.Refresh(ctx, refresh, at, func(g storage.Grant, _ *storage.Session) (storage.Issuance, error) {
			return storage.Issuance{Grant: g}, nil
		})
		must(t, err)
	}
	again, err := redeemFixture(t, s, fixtureCode("bound-ann", "app", session), false)
	must(t, err)
	if !again.Reused {
		t.Error("a used code is accepted again")
	}
	if err := s.MarkUsed(ctx, "jti", fixtureStart, fixtureStart.Add(time.Hour), at); !errors.Is(
		err,
		storage.ErrAlreadyUsed,
	) {
		t.Errorf("a used jti: got error %v", err)
	}
	if _, err = s.Consent(ctx, "ann", "app"); err != nil {
		t.Error(err)
	}
	if _, err = s.OneTimeLink(ctx, storage.HashOf("link"), at); err != nil {
		t.Error(err)
	}
	keys, err := s.ListKeys(ctx)
	must(t, err)
	if len(keys) != 1 || keys[0].ID != "key" {
		t.Errorf("got keys %+v", keys)
	}
	report, err := s.Report(ctx, "report")
	must(t, err)
	if report.Subject != "bob" || len(report.Entries) != 1 || len(report.Audit) == 0 {
		t.Errorf("got report %+v", report)
	}
	deliveries, err := s.ClaimDeliveries(ctx, at, time.Minute, 10, nil)
	must(t, err)
	if len(deliveries) != 1 || deliveries[0].ID != "delivery" {
		t.Errorf("got deliveries %+v", deliveries)
	}
	must(t, s.CountAttempt(ctx, []storage.Hash{storage.HashOf("attempt")}, func(c []storage.Counter) error {
		if c[0].Count != 3 {
			t.Errorf("got count %d, want 3", c[0].Count)
		}
		return nil
	}))
	trail, _, err := s.ListEvents(ctx, storage.EventFilter{}, storage.Page{})
	must(t, err)
	for i := 1; i < len(trail); i++ {
		if !trail[i].Follows(trail[i-1].Seq, trail[i-1].Hash) {
			t.Errorf("the audit trail is broken at line %d", trail[i].Seq)
		}
	}
}
