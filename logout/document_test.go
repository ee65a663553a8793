package logout

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// exported ends a session of four applications and hands its report out after that time.
func exported(t *testing.T, w *world, after time.Duration) Document {
	t.Helper()
	w.client("a", storage.Metadata{})
	w.client("b", storage.Metadata{SessionExpiry: 900})
	w.register(storage.Metadata{ClientID: "c", FrontchannelLogoutURI: "https://c.example/fcl"})
	w.register(storage.Metadata{ClientID: "d"})
	id := w.session("a", "c", "d")
	w.join(id, "b", storage.Issue{Trust: storage.Trust{Lease: time.Now().Add(15 * time.Minute), JWT: time.Now().Add(10 * time.Minute), Opaque: time.Now().Add(time.Hour)}})
	w.settleDown()
	d := w.dispatcher()
	stop := run(d.Run)
	o := w.end(w.ender(d), storage.Selector{Sessions: []storage.SessionID{id}})
	w.must(w.store.UpdateReport(t.Context(), o.Reports[0], FrameAsked([]string{"c"}, time.Now())))
	time.Sleep(after)
	stop()
	r, err := w.store.Report(t.Context(), o.Reports[0])
	w.must(err)
	events, _, err := w.store.ListEvents(t.Context(), storage.EventFilter{Session: r.Session, Kind: "session.ended"}, storage.Page{})
	w.must(err)
	return Export(issuer, r, events, time.Now())
}

func TestDocumentIsConsistentAndSurvivesJSON(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, time.Minute, time.Hour} {
		inWorld(t, func(t *testing.T, w *world) {
			doc := exported(t, w, after)
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

func TestDocumentKeepsInnerAddressesToTheOperator(t *testing.T) {
	r := storage.Report{ID: "r", At: t0, Rows: []storage.Row{{Kind: KindApplication, Client: "rp", Answer: storage.Answer{At: t0, Class: "denied", Detail: "call 10.1.2.3: denied"}}}}
	text, err := json.Marshal(Export(issuer, r, nil, t0))
	if err != nil || strings.Contains(string(text), "10.1.2.3") || !strings.Contains(string(text), "denied") {
		t.Errorf("got %s, %v", text, err)
	}
	if r.Rows[0].Answer.Detail == "" {
		t.Error("the report itself lost it")
	}
}

func TestDocumentOfEveryKindOfEndingIsConsistent(t *testing.T) {
	var offline, bound storage.Grant
	tests := map[string]func(storage.SessionID) storage.Selector{
		"a share": func(id storage.SessionID) storage.Selector {
			return storage.Selector{Sessions: []storage.SessionID{id}, Client: "rp"}
		},
		"a session and offline access": func(storage.SessionID) storage.Selector { return storage.Selector{Subject: "u", Offline: true} },
		"offline access alone":         func(storage.SessionID) storage.Selector { return storage.Selector{Grant: offline.ID} },
		"a session's grant alone":      func(storage.SessionID) storage.Selector { return storage.Selector{Grant: bound.ID} },
	}
	for name, sel := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.client("rp", storage.Metadata{})
				w.client("other", storage.Metadata{AccessTokenFormat: "jwt"})
				id := w.session()
				now := time.Now()
				give := func(session storage.SessionID, id string) storage.Issue {
					return storage.Issue{Grant: storage.Grant{ID: id, Session: session, Created: now, LastUsed: now}, Trust: storage.Trust{JWT: now.Add(10 * time.Minute)}}
				}
				offline = w.join(id, "other", give("", "offline")).Grant
				bound = w.join(id, "rp", give(id, "bound")).Grant
				w.settleDown()
				o := w.end(w.ender(w.dispatcher()), sel(id))
				if len(o.Reports) == 0 {
					t.Fatal("there is no report")
				}
				for _, one := range o.Reports {
					r, err := w.store.Report(t.Context(), one)
					w.must(err)
					events, _, err := w.store.ListEvents(t.Context(), storage.EventFilter{}, storage.Page{Limit: 1000})
					w.must(err)
					events = slices.DeleteFunc(events, func(e storage.Event) bool { return !slices.Contains(r.Audit, e.Seq) })
					if doc := Export(issuer, r, events, time.Now()); len(doc.Check()) > 0 || r.Subject != "u" {
						t.Errorf("got %q in %+v", doc.Check(), doc)
					}
				}
			})
		})
	}
}

func TestForgedDocumentIsFoundOut(t *testing.T) {
	row := func(d *Document, client string) *storage.Row {
		r := storage.Report{Rows: d.Rows}
		return r.Row(KindApplication, client)
	}
	forgeries := map[string]struct {
		forge func(*Document)
		want  string
	}{
		"a frame said to confirm":      {func(d *Document) { row(d, "c").Trust = storage.TrustConfirmed }, "not told directly"},
		"confirmed without evidence":   {func(d *Document) { row(d, "a").Evidence = EvidenceNone }, "without the evidence"},
		"confirmed before the end":     {func(d *Document) { row(d, "a").Told = d.Ended.Add(-time.Second) }, "told before the end"},
		"confirmed too early":          {func(d *Document) { row(d, "a").Late = LatePending }, "second telling"},
		"unknown said to be closed":    {func(d *Document) { row(d, "d").Trust = storage.TrustClosed }, "no bound has passed"},
		"unknown said to be bounded":   {func(d *Document) { row(d, "d").Trust = storage.TrustBounded }, "bounded"},
		"unknown said to be told":      {func(d *Document) { row(d, "d").Trust = storage.TrustTold }, "no channel"},
		"a row left out":               {func(d *Document) { d.Rows = d.Rows[:len(d.Rows)-1] }, "does not follow from the rows"},
		"a number made smaller":        {func(d *Document) { d.Tokens.Until = d.Tokens.Until.Add(-time.Minute) }, "tokens does not follow"},
		"an unknown dropped":           {func(d *Document) { d.Apps.Unknown, d.Apps.Names = 0, nil }, "apps does not follow"},
		"another reason":               {func(d *Document) { d.Reason = storage.ReasonAdmin }, "another reason"},
		"an audit line changed":        {func(d *Document) { d.Audit[0].By = "somebody" }, "was changed"},
		"an audit line of another end": {func(d *Document) { d.Txn = "other" }, "something else"},
		"no audit line":                {func(d *Document) { d.Audit = nil }, "no audit line"},
		"an invented state":            {func(d *Document) { row(d, "d").Trust = "fine" }, "no trust state"},
		"issued before what it tells":  {func(d *Document) { d.IssuedAt -= 3600 }, "before t0"},
	}
	for name, f := range forgeries {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				doc := exported(t, w, time.Minute)
				f.forge(&doc)
				if faults := strings.Join(doc.Check(), "\n"); !strings.Contains(faults, f.want) {
					t.Errorf("got %q, want %q in it", faults, f.want)
				}
			})
		})
	}
}
