package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

func TestBadRequestsGetErrorsOfTheRightStatus(t *testing.T) {
	d := mustStart(t)
	d.mustAddUser("ada")
	large := `{"preferred_username":"` + strings.Repeat("a", 256<<10) + `"}`
	for _, c := range []struct {
		status                    int
		code, field, method, path string
		body                      string
	}{
		{404, "not_found", "", "GET", "/nothing", ""},
		{405, "wrong_method", "", "PUT", "/users", "{}"},
		{404, "not_found", "user", "GET", "/users/nobody", ""},
		{404, "not_found", "client", "GET", "/clients/nobody", ""},
		{400, "invalid", "body", "POST", "/users", "[]"},
		{400, "invalid", "body", "POST", "/users", "null"},
		{400, "invalid", "body", "POST", "/users", "{"},
		{400, "invalid", "body", "POST", "/users", ""},
		{400, "invalid", "body", "POST", "/clients", `{} {}`},
		{413, "too_large", "body", "POST", "/users", large},
		{413, "too_large", "body", "POST", "/logouts", large},
		{400, "invalid", "limt", "GET", "/users?limt=2", ""},
		{400, "invalid", "limit", "GET", "/users?limit=0", ""},
		{400, "invalid", "limit", "GET", "/users?limit=1001", ""},
		{400, "invalid", "limit", "GET", "/users?limit=1&limit=2", ""},
		{400, "invalid", "query", "GET", "/users?a=%zz", ""},
		{400, "invalid", "since", "GET", "/events?since=yesterday", ""},
		{400, "invalid", "newest", "GET", "/events?newest=1", ""},
		{400, "invalid", "at_onc", "POST", "/keys/rotate", `{"at_onc":true}`},
		{400, "invalid", "at_once", "POST", "/keys/rotate", `{"at_once":1}`},
	} {
		d.mustFail(c.status, c.code, c.field, c.method, c.path, c.body)
	}
	w := httptest.NewRecorder()
	d.api.ServeHTTP(w, httptest.NewRequest("POST", "/users", strings.NewReader(`{"preferred_username":"eve"}`)))
	if w.Code != http.StatusBadRequest {
		t.Errorf("got %d for a body without content type, want 400", w.Code)
	}
}

// failingStore is a store whose reads fail with an error that must not reach callers.
type failingStore struct{ *bolt.Store }

func (failingStore) CountSessions(context.Context) (int, error) {
	return 0, errors.New("page 17 of /var/lib/curfew/curfew.db")
}

func TestUnknownErrorSaysNothing(t *testing.T) {
	d := mustStart(t, func(c *admin.Config) { c.Store = failingStore{c.Store.(*bolt.Store)} })
	answer := d.mustFail(500, "internal", "", "GET", "/status", "")
	if strings.Contains(answer.Message, "page 17") {
		t.Errorf("got %q, which is ours", answer.Message)
	}
}

func TestFullDiskIsAnsweredAndNothingIsHalfDone(t *testing.T) {
	dir := t.TempDir()
	store, err := bolt.Open(bolt.Options{Path: filepath.Join(dir, "small.db"), MaxSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	d := mustStart(t, func(c *admin.Config) { c.Store = store })
	full := false
	for i := 0; i < 2000 && !full; i++ {
		w := d.do(
			"POST",
			"/clients",
			`{"client_id":"c`+strings.Repeat(
				"x",
				i%200,
			)+string(
				rune('a'+i%26),
			)+`","redirect_uris":["https://a.example/`+strings.Repeat(
				"p",
				1800,
			)+`"]}`,
		)
		full = w.Code == http.StatusServiceUnavailable
		if full && (w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "room")) {
			t.Errorf("got %s, want the reason and when to try again", w.Body)
		}
	}
	if !full {
		t.Fatal("the disk never filled")
	}
	if w := d.do("GET", "/clients", ""); w.Code != 200 {
		t.Errorf("got %d for a read, want 200", w.Code)
	}
}

func TestStatusCountsWhatWaits(t *testing.T) {
	d, _ := mustSignInManyUsers(t)
	must[admin.TerminationResult](d, 200, "POST", "/logouts", `{"user":"bob"}`)
	s := must[admin.Status](d, 200, "GET", "/status", "")
	if s.Issuer != issuer || s.Version != "1.2.3" || s.Sessions != 2 || s.Deliveries[storage.DeliveryPending] != 1 ||
		s.OldestPending.IsZero() {
		t.Errorf("got %+v, want two sessions and one pending delivery", s)
	}
}

func TestKeysAreListedWithoutSecretsRotatedAndRevoked(t *testing.T) {
	d := mustStart(t)
	if w := d.do("GET", "/keys", ""); strings.Contains(w.Body.String(), "wrapped") {
		t.Error("a wrapped private key was shown")
	}
	active := func(list admin.KeyList) (ids []string) {
		for _, k := range list.Keys {
			if k.Use == keys.UseSign && k.State == keys.Active {
				ids = append(ids, k.ID)
			}
		}
		return ids
	}
	before := active(must[admin.KeyList](d, 200, "GET", "/keys", ""))
	if after := active(must[admin.KeyList](d, 200, "POST", "/keys/rotate", "")); strings.Join(
		after,
		" ",
	) != strings.Join(
		before,
		" ",
	) {
		t.Errorf("got %v active, want %v until relying parties know the new ones", after, before)
	}
	after := active(must[admin.KeyList](d, 200, "POST", "/keys/rotate", `{"at_once":true}`))
	if len(after) != len(before) || after[0] == before[0] {
		t.Errorf("got %v active, want others than %v", after, before)
	}
	must[admin.KeyList](d, 200, "DELETE", "/keys/"+after[0], "")
	d.mustFail(404, "not_found", "", "DELETE", "/keys/nothing", "")
	if e := d.lastEvent("key.revoked"); e.By != "admin" {
		t.Errorf("got audit line %+v, want by admin", e)
	}
}

func TestAuditTrailIsFilteredExportedAndVerified(t *testing.T) {
	d, ada := mustSignInManyUsers(t)
	must[admin.TerminationResult](d, 200, "POST", "/logouts", `{"user":"ada"}`)
	ended := must[admin.EventList](d, 200, "GET", "/events?user=ada&kind=session.ended&newest=true", "").Events
	if len(ended) != 2 || ended[0].Seq < ended[1].Seq || ended[0].Subject != ada.Subject ||
		ended[0].Reason != storage.ReasonAdmin {
		t.Errorf("got %+v, want the two endings, newest first", ended)
	}
	if got := must[admin.EventList](d, 200, "GET", "/events?kind=nothing.", "").Events; got == nil || len(got) != 0 {
		t.Errorf("got %v, want an empty list", got)
	}
	w := d.do("GET", "/events/export?user="+ada.Subject, "")
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	for _, line := range lines {
		var e storage.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Subject != ada.Subject {
			t.Errorf("got line %s (%v), want an event of ada's", line, err)
		}
	}
	if w.Header().Get("Content-Type") != "application/jsonl" || len(lines) < 4 {
		t.Errorf("got %s with %d lines", w.Header().Get("Content-Type"), len(lines))
	}
	v := must[admin.Verification](d, 200, "GET", "/events/verify", "")
	if last := d.lastEvent(""); !v.Intact || v.LastSeq != last.Seq || v.HeadHash != last.Hash ||
		v.Events != int(last.Seq) {
		t.Errorf("got %+v, want a whole chain up to %d", v, last.Seq)
	}
}

// TestRemovedAuditLinesAreNamed: lines that retention removed do not break the trail, and the answer says up to which
// line.
func TestRemovedAuditLinesAreNamed(t *testing.T) {
	d := mustStart(t)
	for _, u := range []string{"ada", "bob", "eve"} {
		d.mustAddUser(u)
	}
	before := must[admin.Verification](d, 200, "GET", "/events/verify", "")
	if _, err := d.store.RemoveEvents(t.Context(), time.Now().Add(time.Hour), time.Now(), 2); err != nil {
		t.Fatal(err)
	}
	v := must[admin.Verification](d, 200, "GET", "/events/verify?since="+before.Checkpoint, "")
	if !v.Intact || v.FirstSeq != 3 || v.RemovedTo != 2 || v.RemovedAt.IsZero() || v.LastSeq != before.LastSeq {
		t.Errorf("got %+v, want a trail from line 3", v)
	}
}

// forgedStore is a store whose trail was altered by an attacker who had the file.
type forgedStore struct {
	*bolt.Store
	change func([]storage.Event) []storage.Event
}

func (f forgedStore) ListEvents(
	ctx context.Context,
	filter storage.EventFilter,
	p storage.Page,
) ([]storage.Event, string, error) {
	events, next, err := f.Store.ListEvents(ctx, filter, p)
	return f.change(events), next, err
}

func TestForgedAuditTrailShows(t *testing.T) {
	for name, c := range map[string]struct {
		change func([]storage.Event) []storage.Event
		broken uint64
	}{
		"altered":  {func(e []storage.Event) []storage.Event { e[1].By = "user:eve"; return e }, 2},
		"removed":  {func(e []storage.Event) []storage.Event { return append(e[:1:1], e[2:]...) }, 2},
		"swapped":  {func(e []storage.Event) []storage.Event { e[0], e[1] = e[1], e[0]; return e }, 1},
		"inserted": {func(e []storage.Event) []storage.Event { return append(e[:2:2], e[1:]...) }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			d := mustStart(t, func(cfg *admin.Config) { cfg.Store = forgedStore{cfg.Store.(*bolt.Store), c.change} })
			for _, u := range []string{"ada", "bob", "eve"} {
				d.mustAddUser(u)
			}
			if v := must[admin.Verification](d, 200, "GET", "/events/verify", ""); v.Intact || v.BrokenAt != c.broken {
				t.Errorf("got %+v, want it broken at %d", v, c.broken)
			}
		})
	}
}
