package admin_test

import (
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/admin"
)

// A user whose imported subject is the login name of another user must not be disabled in place of that user.
func TestAmbiguousUserNameIsRefused(t *testing.T) {
	d := mustStart(t)
	ada := d.mustAddUser("ada")
	must[admin.User](d, 201, "POST", "/users", `{"preferred_username":"bob","sub":"ada"}`)
	must[admin.User](d, 201, "POST", "/users", `{"preferred_username":"eve","sub":"ada@example.org"}`)
	for _, name := range []string{"ada", "ada@example.org"} {
		for method, target := range map[string]string{"GET": "", "PATCH": "", "DELETE": "", "POST": "/disable"} {
			body := ""
			if method == "PATCH" {
				body = `{"name":"x"}`
			}
			answer := d.mustFail(409, "ambiguous", "user", method, "/users/"+name+target, body)
			if !strings.Contains(answer.Message, ada.Subject) ||
				!strings.Contains(answer.Message, `"bob"`) && !strings.Contains(answer.Message, `"eve"`) {
				t.Errorf("got %q, want how to name each of them", answer.Message)
			}
		}
		d.mustFail(409, "ambiguous", "user", "POST", "/logouts", `{"user":"`+name+`"}`)
	}
	must[admin.TerminationResult](d, 200, "POST", "/users/"+ada.Subject+"/disable", "")
	if u := must[admin.User](d, 200, "GET", "/users/bob", ""); u.Subject != "ada" || u.Disabled {
		t.Errorf("got %+v, want bob as he was", u)
	}
	same := must[admin.User](d, 201, "POST", "/users", `{"preferred_username":"old","sub":"old"}`)
	if u := must[admin.User](d, 200, "GET", "/users/old", ""); u.Subject != same.Subject {
		t.Errorf("got %+v, want the one user of that name and subject", u)
	}
}

// A caller that asks for a dry run of an act that has none gets an error; the act is not done.
func TestActsDoNotPassOverWhatTheyDoNotKnow(t *testing.T) {
	d := mustStart(t)
	d.mustAddUser("ada")
	d.mustAddClient("atlas", "")
	must[admin.InitialAccessToken](d, 201, "POST", "/initial-access-tokens", `{"name":"ci"}`)
	for _, act := range []string{"DELETE /users/ada", "POST /users/ada/disable", "POST /users/ada/enable", "DELETE /clients/atlas", "POST /clients/atlas/secret", "POST /clients/atlas/disable",
		"POST /clients/atlas/enable", "POST /clients/atlas/test-logout", "DELETE /initial-access-tokens/ci", "POST /deliveries/x/retry", "POST /deliveries/x/cancel", "DELETE /keys/x"} {
		method, target, _ := strings.Cut(act, " ")
		d.mustFail(400, "invalid", "dry_run", method, target, `{"dry_run":true}`)
		d.mustFail(400, "invalid", "body", method, target, `[]`)
		d.mustFail(400, "invalid", "dry_run", method, target+"?dry_run=true", "")
	}
	for _, act := range []string{"POST /users", "PATCH /users/ada", "POST /users/ada/password", "POST /users/ada/reset-link", "POST /clients", "PATCH /clients/atlas", "POST /initial-access-tokens",
		"POST /logouts", "POST /keys/rotate"} {
		method, target, _ := strings.Cut(act, " ")
		d.mustFail(400, "invalid", "dry_run", method, target+"?dry_run=true", `{}`)
	}
	must[admin.TerminationResult](d, 200, "DELETE", "/users/ada", "{}")
	must[admin.TerminationResult](d, 200, "DELETE", "/clients/atlas", "")
}

func TestWrongMethodIsAnsweredWithTheRightOnes(t *testing.T) {
	d := mustStart(t)
	d.mustAddUser("ada")
	for act, allow := range map[string]string{
		"PUT /users":             "GET, POST",
		"POST /users/ada":        "GET, PATCH, DELETE",
		"GET /endings/":          "",
		"GET /users/ada/disable": "POST",
		"DELETE /events":         "GET",
	} {
		method, target, _ := strings.Cut(act, " ")
		if allow == "" {
			d.mustFail(404, "not_found", "", method, target, "")
			continue
		}
		d.mustFail(405, "wrong_method", "", method, target, "")
		if got := d.do(method, target, "").Header().Get("Allow"); got != allow {
			t.Errorf("%s: got Allow %q, want %q (RFC 9110 section 15.5.6)", act, got, allow)
		}
	}
}
