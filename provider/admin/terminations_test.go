package admin_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/storage"
)

// mustSignInManyUsers signs ada in twice and bob once, at mail and chat.
func mustSignInManyUsers(t *testing.T) (d *fixture, ada admin.User) {
	d = mustStart(t)
	d.mustAddClient("mail", "")
	d.mustAddClient("chat", "")
	ada = d.mustAddUser("ada")
	d.mustSignIn(ada, "a1", []string{"mail", "chat"}, "mail")
	d.mustSignIn(ada, "a2", []string{"mail"})
	d.mustSignIn(d.mustAddUser("bob"), "b1", []string{"chat"})
	return d, ada
}

func TestAdministratorEndsExactlyWhatIsNamed(t *testing.T) {
	for _, c := range []struct {
		body, active, grants string
		count                storage.TerminationCount
	}{
		{
			`{"sessions":["a1"]}`,
			"a2 b1",
			"a1 offline mail, a2 mail",
			storage.TerminationCount{Sessions: 1, ClientSessions: 2, Deliveries: 2, Grants: 2},
		},
		{
			`{"sessions":["a1"],"include_offline":true}`,
			"a2 b1",
			"a2 mail",
			storage.TerminationCount{Sessions: 1, ClientSessions: 2, Deliveries: 2, Grants: 3},
		},
		{
			`{"user":"ada@example.org"}`,
			"b1",
			"a1 offline mail",
			storage.TerminationCount{Sessions: 2, ClientSessions: 3, Deliveries: 3, Grants: 3},
		},
		{
			`{"user":"ada","except_session":"a2"}`,
			"a2 b1",
			"a1 offline mail, a2 mail",
			storage.TerminationCount{Sessions: 1, ClientSessions: 2, Deliveries: 2, Grants: 2},
		},
		{
			`{"user":"ada","client":"mail"}`,
			"a1 a2 b1",
			"a1 chat, a1 offline mail",
			storage.TerminationCount{ClientSessions: 2, Deliveries: 2, Grants: 2},
		},
		{
			`{"client":"chat"}`,
			"a1 a2 b1",
			"a1 mail, a1 offline mail, a2 mail",
			storage.TerminationCount{ClientSessions: 2, Deliveries: 2, Grants: 2},
		},
		{
			`{"all_users":true,"include_offline":true}`,
			"",
			"",
			storage.TerminationCount{Sessions: 3, ClientSessions: 4, Deliveries: 4, Grants: 5},
		},
	} {
		t.Run(c.body, func(t *testing.T) {
			d, ada := mustSignInManyUsers(t)
			dry := must[admin.TerminationResult](
				d,
				200,
				"POST",
				"/logouts",
				strings.TrimSuffix(c.body, "}")+`,"dry_run":true}`,
			)
			if dry.Count != c.count || !dry.DryRun || dry.CauseID != "" {
				t.Errorf("dry run: got %+v, want count %+v", dry, c.count)
			}
			if !d.sessionActive("a1") || !d.sessionActive("a2") || !d.sessionActive("b1") {
				t.Fatal("a dry run ended something")
			}
			result := must[admin.TerminationResult](d, 200, "POST", "/logouts", c.body)
			if result.Count != c.count || result.DryRun || result.CauseID == "" ||
				!result.EndedAt.Equal(d.clock.Now()) {
				t.Errorf("got %+v, want count %+v", result, c.count)
			}
			var active []string
			for _, id := range []storage.SessionID{"a1", "a2", "b1"} {
				if d.sessionActive(id) {
					active = append(active, string(id))
				}
			}
			if got := strings.Join(active, " "); got != c.active {
				t.Errorf("got %q active, want %q", got, c.active)
			}
			if got := d.grants(ada); got != c.grants {
				t.Errorf("got ada's grants %q, want %q", got, c.grants)
			}
			for _, id := range result.Reports {
				r := must[admin.Report](d, 200, "GET", "/reports/"+id, "")
				if r.Cause.Reason != storage.ReasonAdmin || r.Cause.By != "admin" || r.Cause.ID != result.CauseID {
					t.Errorf("got cause %+v, want administrator, by admin", r.Cause)
				}
			}
		})
	}
}

func TestTypoInATerminationEndsNothing(t *testing.T) {
	d, _ := mustSignInManyUsers(t)
	for _, c := range []struct {
		status int
		code   string
		field  string
		body   string
	}{
		{400, "invalid", "body", `{}`},
		{400, "invalid", "body", `{"include_offline":true}`},
		{400, "invalid", "body", `{"user":"ada","all_users":true}`},
		{400, "invalid", "body", `{"user":"ada","sessions":["a1"]}`},
		{400, "invalid", "session", `{"session":"a1"}`},
		{400, "invalid", "all_users", `{"all_users":"yes"}`},
		{400, "invalid", "sessions", `{"sessions":"a1"}`},
		{404, "not_found", "session", `{"sessions":["a1","nothing"]}`},
		{404, "not_found", "user", `{"user":"nobody"}`},
		{404, "not_found", "client", `{"all_users":true,"client":"nobody"}`},
		{404, "not_found", "except_session", `{"all_users":true,"except_session":"a3"}`},
		{400, "invalid", "except_session", `{"user":"ada","except_session":"b1"}`},
	} {
		d.mustFail(c.status, c.code, c.field, "POST", "/logouts", c.body)
	}
	d.mustFail(
		404,
		"not_found",
		"except_session",
		"POST",
		"/users/ada/password",
		`{"password":"another correct horse","except_session":"a3"}`,
	)
	if !d.sessionActive("a1") || !d.sessionActive("a2") || !d.sessionActive("b1") {
		t.Error("a refused request ended something")
	}
}

func TestBulkLogoutRevokesAtOnceAndNotifiesPageByPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := mustStart(t)
		d.mustAddClient("mail", "")
		u := d.mustAddUser("ada")
		for i := range 8 {
			d.mustSignIn(u, fmt.Sprintf("s%d", i), []string{"mail"})
		}
		result := must[admin.TerminationResult](d, 200, "POST", "/logouts", `{"all_users":true}`)
		if !result.InProgress || result.Count.Sessions != 8 || len(result.Reports) != 3 {
			t.Fatalf("got %+v, want eight of which three are notified in the first page", result)
		}
		for i := range 8 {
			if d.sessionActive(storage.SessionID(fmt.Sprintf("s%d", i))) {
				t.Errorf("session %d is still active after the cutoff", i)
			}
		}
		under := must[admin.BulkLogoutList](d, 200, "GET", "/logouts", "").BulkLogouts
		if len(under) != 1 || under[0].Cause.ID != result.CauseID || under[0].Done.Sessions != 3 ||
			under[0].Remaining.Sessions != 5 ||
			!under[0].Finished.IsZero() {
			t.Errorf("got %+v, want three done and five remaining", under)
		}
		if s := must[admin.Status](d, 200, "GET", "/status", ""); s.BulkLogouts != 1 {
			t.Errorf("got %d endings under way, want 1", s.BulkLogouts)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { d.terminator.Run(ctx); close(done) }()
		time.Sleep(time.Minute)
		cancel()
		<-done
		after := must[admin.BulkLogoutList](d, 200, "GET", "/logouts", "").BulkLogouts
		if len(after) != 1 || after[0].Done.Sessions != 8 || after[0].Remaining != (storage.TerminationCount{}) ||
			after[0].Finished.IsZero() {
			t.Errorf("got %+v, want all done", after)
		}
		if got := len(must[admin.ReportList](d, 200, "GET", "/reports?cause="+result.CauseID, "").Reports); got != 8 {
			t.Errorf("got %d reports, want 8", got)
		}
	})
}

func TestSessionIsShownWithItsHorizonAndWithoutSid(t *testing.T) {
	d := mustStart(t)
	d.mustAddClient("mail", `,"client_name":"Mail","session_expiry":900`)
	d.mustAddClient("wiki", "")
	must[admin.ClientRecord](d, 200, "PATCH", "/clients/wiki", `{"backchannel_logout_uri":null}`)
	u := d.mustAddUser("ada")
	d.mustSignIn(u, "s1", []string{"mail", "wiki"}, "mail")
	list := must[admin.SessionList](d, 200, "GET", "/sessions?user=ada", "").Sessions
	if len(list) != 1 || list[0].User != "ada" || list[0].Horizon != nil || len(list[0].ClientSessions) != 2 ||
		list[0].Hash != storage.SessionHash("s1") {
		t.Fatalf("got %+v, want ada's session with two members", list)
	}
	w := d.do("GET", "/sessions/s1", "")
	if strings.Contains(w.Body.String(), "sid s1") {
		t.Errorf("got %s, which shows a sid", w.Body)
	}
	s := must[admin.Session](d, 200, "GET", "/sessions/s1", "")
	if s.Horizon == nil || s.Horizon.Clients.Unknown == 0 || len(s.Horizon.Offline) != 1 ||
		s.Horizon.Offline[0] != "Mail" {
		t.Errorf("got horizon %+v, want an unknown application and Mail's offline access", s.Horizon)
	}
	if s := must[admin.Session](d, 200, "GET", "/sessions/s1?include_offline=true", ""); len(s.Horizon.Offline) != 0 {
		t.Errorf("got offline %v, want none if it ends too", s.Horizon.Offline)
	}
	if got := must[admin.SessionList](d, 200, "GET", "/sessions?client=wiki", "").Sessions; len(got) != 1 {
		t.Errorf("got %d sessions of wiki, want 1", len(got))
	}
	d.mustFail(404, "not_found", "session", "GET", "/sessions/nothing", "")
	d.mustFail(404, "not_found", "user", "GET", "/sessions?user=nobody", "")
	d.mustFail(404, "not_found", "client", "GET", "/sessions?client=nobody", "")
	d.mustFail(400, "invalid", "include_offline", "GET", "/sessions/s1?include_offline=yes", "")
}
