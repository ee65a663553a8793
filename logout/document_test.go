package logout

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// mustExport ends a session of four clients and exports its report after that time.
func mustExport(t *testing.T, w *fixture, after time.Duration) Document {
	t.Helper()
	w.client("a", storage.Metadata{})
	w.client("b", storage.Metadata{SessionExpiry: 900})
	w.register(storage.Metadata{ClientID: "c", FrontchannelLogoutURI: "https://c.example/fcl"})
	w.register(storage.Metadata{ClientID: "d"})
	id := w.session("a", "c", "d")
	w.join(id, "b", storage.Issuance{
		Trust: storage.TokenExpiry{
			SessionExpiry: time.Now().Add(15 * time.Minute),
			JWT:           time.Now().Add(10 * time.Minute),
			Opaque:        time.Now().Add(time.Hour),
		},
	})
	w.waitRenotifyDelay()
	d := w.dispatcher()
	stop := run(d.Run)
	o := w.end(w.terminator(d), storage.Selector{Sessions: []storage.SessionID{id}})
	w.must(w.store.UpdateReport(t.Context(), o.ReportIDs[0], MarkFrontChannelNotified([]string{"c"}, time.Now())))
	time.Sleep(after)
	stop()
	r, err := w.store.Report(t.Context(), o.ReportIDs[0])
	w.must(err)
	events, _, err := w.store.ListEvents(
		t.Context(),
		storage.EventFilter{Session: r.SessionHash, Kind: "session.ended"},
		storage.Page{},
	)
	w.must(err)
	return NewDocument(issuer, r, events, time.Now())
}

func TestDocumentIsConsistentAndSurvivesJSON(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, time.Minute, time.Hour} {
		withFixture(t, func(t *testing.T, w *fixture) {
			doc := mustExport(t, w, after)
			text, err := json.Marshal(doc)
			w.must(err)
			var read Document
			w.must(json.Unmarshal(text, &read))
			if faults := read.Check(); len(faults) > 0 {
				t.Errorf("after %v: %q\n%s", after, faults, text)
			}
		})
	}
}

func TestDocumentOmitsInternalAddresses(t *testing.T) {
	r := storage.Report{
		ID:      "r",
		EndedAt: t0,
		Entries: []storage.ReportEntry{
			{
				Kind:       KindClientSession,
				Client:     "rp",
				LastAnswer: storage.Answer{At: t0, Class: "denied", Detail: "call 10.1.2.3: denied"},
			},
		},
	}
	text, err := json.Marshal(NewDocument(issuer, r, nil, t0))
	if err != nil || strings.Contains(string(text), "10.1.2.3") || !strings.Contains(string(text), "denied") {
		t.Errorf("got %s, %v", text, err)
	}
	if r.Entries[0].LastAnswer.Detail == "" {
		t.Error("the report itself lost it")
	}
}

func TestDocumentOfEveryKindOfTerminationIsConsistent(t *testing.T) {
	var offline, bound storage.Grant
	tests := map[string]func(storage.SessionID) storage.Selector{
		"a client session": func(id storage.SessionID) storage.Selector {
			return storage.Selector{Sessions: []storage.SessionID{id}, Client: "rp"}
		},
		"a session and offline access": func(storage.SessionID) storage.Selector {
			return storage.Selector{
				Subject:        "u",
				IncludeOffline: true,
			}
		},
		"offline access alone":    func(storage.SessionID) storage.Selector { return storage.Selector{Grant: offline.ID} },
		"a session's grant alone": func(storage.SessionID) storage.Selector { return storage.Selector{Grant: bound.ID} },
	}
	for name, sel := range tests {
		t.Run(name, func(t *testing.T) {
			withFixture(t, func(t *testing.T, w *fixture) {
				w.client("rp", storage.Metadata{})
				w.client("other", storage.Metadata{AccessTokenFormat: "jwt"})
				id := w.session()
				now := time.Now()
				give := func(session storage.SessionID, id string) storage.Issuance {
					return storage.Issuance{
						Grant: storage.Grant{ID: id, Session: session, Created: now, LastUsed: now},
						Trust: storage.TokenExpiry{JWT: now.Add(10 * time.Minute)},
					}
				}
				offline = w.join(id, "other", give("", "offline")).Grant
				bound = w.join(id, "rp", give(id, "bound")).Grant
				w.waitRenotifyDelay()
				o := w.end(w.terminator(w.dispatcher()), sel(id))
				if len(o.ReportIDs) == 0 {
					t.Fatal("there is no report")
				}
				for _, one := range o.ReportIDs {
					r, err := w.store.Report(t.Context(), one)
					w.must(err)
					events, _, err := w.store.ListEvents(t.Context(), storage.EventFilter{}, storage.Page{Limit: 1000})
					w.must(err)
					events = slices.DeleteFunc(
						events,
						func(e storage.Event) bool { return !slices.Contains(r.Audit, e.Seq) },
					)
					if doc := NewDocument(issuer, r, events, time.Now()); len(doc.Check()) > 0 || r.Subject != "u" {
						t.Errorf("got %q in %+v", doc.Check(), doc)
					}
				}
			})
		})
	}
}

func TestForgedDocumentIsDetected(t *testing.T) {
	entry := func(d *Document, client string) *storage.ReportEntry {
		r := storage.Report{Entries: d.Entries}
		return r.Entry(KindClientSession, client)
	}
	forgeries := map[string]struct {
		forge func(*Document)
		want  string
	}{
		"a frame said to confirm": {
			func(d *Document) { entry(d, "c").Trust = storage.TrustConfirmed },
			"not notified through the back channel",
		},
		"confirmed before the end": {
			func(d *Document) { entry(d, "a").NotifiedAt = d.EndedAt.Add(-time.Second) },
			"notified before the end",
		},
		"confirmed too early": {
			func(d *Document) { entry(d, "a").Renotification = RenotificationPending },
			"re-notification",
		},
		"unknown said to be revoked": {
			func(d *Document) { entry(d, "d").Trust = storage.TrustRevoked },
			"no bound has passed",
		},
		"unknown said to be expiring": {
			func(d *Document) { entry(d, "d").Trust = storage.TrustExpiring },
			"expiring",
		},
		"unknown said to be notified": {
			func(d *Document) { entry(d, "d").Trust = storage.TrustNotified },
			"no channel",
		},
		"an entry left out": {
			func(d *Document) { d.Entries = d.Entries[:len(d.Entries)-1] },
			"does not follow from the entries",
		},
		"a number made smaller": {
			func(d *Document) { d.Tokens.ExpiresAt = d.Tokens.ExpiresAt.Add(-time.Minute) },
			"tokens does not follow",
		},
		"an unknown dropped": {
			func(d *Document) { d.Clients.Unknown, d.Clients.UnknownNames = 0, nil },
			"clients does not follow",
		},
		"another reason":                {func(d *Document) { d.Reason = storage.ReasonAdmin }, "another reason"},
		"an audit line changed":         {func(d *Document) { d.Audit[0].By = "somebody" }, "was changed"},
		"an audit line of another end":  {func(d *Document) { d.Txn = "other" }, "something else"},
		"no audit line":                 {func(d *Document) { d.Audit = nil }, "no audit line"},
		"an invented state":             {func(d *Document) { entry(d, "d").Trust = "fine" }, "no trust state"},
		"issued before the termination": {func(d *Document) { d.IssuedAt -= 3600 }, "before t0"},
	}
	for name, f := range forgeries {
		t.Run(name, func(t *testing.T) {
			withFixture(t, func(t *testing.T, w *fixture) {
				doc := mustExport(t, w, time.Minute)
				f.forge(&doc)
				if faults := strings.Join(doc.Check(), "\n"); !strings.Contains(faults, f.want) {
					t.Errorf("got %q, want %q in it", faults, f.want)
				}
			})
		})
	}
}
