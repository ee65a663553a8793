package admin_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/storage"
)

func TestUserIsShownByTheClaimNamesOfCoreAndNeverWithAPassword(t *testing.T) {
	d := mustStart(t)
	const body = `{"preferred_username":"ada","email":"Ada@example.org","email_verified":true,"password":"correct horse battery staple","name":"Ada Lovelace",
		"birthdate":"0000-12-10","zoneinfo":"Europe/London","locale":"en-GB","website":"https://ada.example","phone_number":"+44 20 7946 0000","phone_number_verified":true,
		"address":{"locality":"London","country":"UK"}}`
	added := must[map[string]any](d, 201, "POST", "/users", body)
	for name, want := range map[string]any{"preferred_username": "ada", "email": "Ada@example.org", "email_verified": true, "name": "Ada Lovelace", "has_password": true, "disabled": false} {
		if added[name] != want {
			t.Errorf("got %s %v, want %v", name, added[name], want)
		}
	}
	if address, _ := added["address"].(map[string]any); address["locality"] != "London" {
		t.Errorf("got address %v, want the object of Core §5.1.1", added["address"])
	}
	for _, name := range []string{added["sub"].(string), "ada", "ADA", "ada@EXAMPLE.org"} {
		w := d.do("GET", "/users/"+name, "")
		if w.Code != 200 || strings.Contains(w.Body.String(), "argon2") ||
			strings.Contains(w.Body.String(), `"password"`) {
			t.Errorf("GET /users/%s: got %d %s, want the user without a password", name, w.Code, w.Body)
		}
	}
	stored, err := d.store.UserByLogin(t.Context(), "ada")
	if err != nil || !strings.HasPrefix(stored.Password, "$argon2id$") {
		t.Errorf("got password %q (%v), want argon2id", stored.Password, err)
	}
	if e := d.lastEvent("user.created"); e.By != "admin" || e.Subject != stored.Subject {
		t.Errorf("got audit line %+v, want by admin about %s", e, stored.Subject)
	}
	var u admin.User
	if err := json.Unmarshal(d.do("GET", "/users/ada", "").Body.Bytes(), &u); err != nil ||
		u.Claims["name"] != "Ada Lovelace" ||
		len(u.Claims) != 8 {
		t.Errorf("read back: got claims %v (%v), want the eight other claims", u.Claims, err)
	}
}

func TestWrongClaimsAreAllNamed(t *testing.T) {
	d := mustStart(t)
	for _, c := range []struct{ member, field string }{
		{`"prefered_username":"x"`, "prefered_username"}, {`"email":"nobody"`, "email"}, {`"email":"a\u200bda@example.org"`, "email"}, {`"email":"Ada <ada@example.org>"`, "email"}, {`"email_verified":"yes"`, "email_verified"},
		{`"birthdate":"2026-02-30"`, "birthdate"}, {`"zoneinfo":"../etc"`, "zoneinfo"}, {`"locale":"English (US)"`, "locale"},
		{`"website":"javascript:alert(1)"`, "website"}, {`"phone_number_verified":"true"`, "phone_number_verified"}, {`"address":"London"`, "address"},
		{`"address":{"city":"London"}`, "address"}, {`"name":7`, "name"}, {`"name":"a\u0000b"`, "name"}, {`"updated_at":1`, "updated_at"}, {`"disabled":true`, "disabled"},
		{`"groups":["a,b"]`, "groups"}, {`"groups":"x"`, "groups"}, {`"groups":[" x"]`, "groups"}, {`"group":["x"]`, "group"},
	} {
		d.mustFail(400, "invalid", c.field, "POST", "/users", `{"preferred_username":"ada",`+c.member+`}`)
	}
	answer := d.mustFail(400, "invalid", "email", "POST", "/users", `{"email":"x","nme":"Ada"}`)
	if len(answer.Problems) != 3 || !strings.Contains(answer.Problems[1].Text, "did you mean name?") ||
		answer.Problems[2].Field != "preferred_username" {
		t.Errorf(
			"got problems %+v, want email, nme with the nearest name, and the missing preferred_username",
			answer.Problems,
		)
	}
}

func TestOneLoginNeverNamesTwoUsers(t *testing.T) {
	d := mustStart(t)
	d.mustAddUser("ada")
	d.mustFail(409, "exists", "", "POST", "/users", `{"preferred_username":"ADA"}`)
	d.mustFail(409, "exists", "", "POST", "/users", `{"preferred_username":"eve","email":"ADA@example.org"}`)
	d.mustFail(400, "invalid", "preferred_username", "POST", "/users", `{"preferred_username":"ada@example.org"}`)
	must[admin.User](d, 201, "POST", "/users", `{"preferred_username":"Bob@example.org","email":"bob@example.org"}`)
}

func TestGivenSubjectIsKeptAndNeverUsedAgain(t *testing.T) {
	d := mustStart(t)
	if u := must[admin.User](d, 201, "POST", "/users", `{"preferred_username":"ada","sub":"old|42"}`); u.Subject != "old|42" {
		t.Errorf("got subject %q, want old|42", u.Subject)
	}
	must[admin.TerminationResult](d, 200, "DELETE", "/users/old%7C42", "")
	d.mustFail(404, "not_found", "user", "GET", "/users/ada", "")
	d.mustFail(409, "exists", "", "POST", "/users", `{"preferred_username":"eve","sub":"old|42"}`)
	d.mustFail(400, "invalid", "sub", "POST", "/users", `{"preferred_username":"eve","sub":"a b"}`)
}

func TestWeakPasswordIsRefusedAndNothingIsStored(t *testing.T) {
	d := mustStart(t)
	d.mustFail(400, "invalid", "password", "POST", "/users", `{"preferred_username":"ada","password":"short"}`)
	d.mustFail(404, "not_found", "user", "GET", "/users/ada", "")
	u := d.mustAddUser("bob")
	id := d.mustSignIn(u, "s1", nil)
	d.mustFail(400, "invalid", "password", "POST", "/users/bob/password", `{"password":"bob@example.org"}`)
	d.mustFail(400, "invalid", "password", "POST", "/users/bob/password", `{}`)
	d.mustFail(400, "invalid", "password", "PATCH", "/users/bob", `{"password":"correct horse battery staple"}`)
	if !d.sessionActive(id) {
		t.Error("a refused password ended a session")
	}
}

func TestWhatChangesAnAccountEndsItsSessionsInTheSameTransaction(t *testing.T) {
	const password = `{"password":"another correct horse"}`
	for _, c := range []struct {
		name, method, path, body string
		reason                   storage.Reason
		kind                     string
		grants                   string
	}{
		{"new password", "POST", "/users/ada/password", password, storage.ReasonPasswordChange, "user.password", ""},
		{"new password, offline access kept", "POST", "/users/ada/password", `{"keep_offline":true,"password":"another correct horse"}`, storage.ReasonPasswordChange, "user.password", "s1 offline mail"},
		{"new e-mail", "PATCH", "/users/ada", `{"email":"new@example.org"}`, storage.ReasonEmailChange, "user.changed", ""},
		{"new e-mail, offline access kept", "PATCH", "/users/ada", `{"email":"new@example.org","keep_offline":true}`, storage.ReasonEmailChange, "user.changed", "s1 offline mail"},
		{"disable", "POST", "/users/ada/disable", "", storage.ReasonUserDisabled, "user.disabled", ""},
		{"remove", "DELETE", "/users/ada", "", storage.ReasonUserRemoved, "user.removed", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := mustStart(t)
			d.mustAddClient("mail", "")
			u, other := d.mustAddUser("ada"), d.mustAddUser("bob")
			first, second, bobs := d.mustSignIn(
				u,
				"s1",
				[]string{"mail"},
				"mail",
			), d.mustSignIn(
				u,
				"s2",
				nil,
			), d.mustSignIn(
				other,
				"s3",
				[]string{"mail"},
			)
			if w := d.do(c.method, c.path, c.body); w.Code != 200 {
				t.Fatalf("got %d %s, want 200", w.Code, w.Body)
			}
			if d.sessionActive(first) || d.sessionActive(second) || !d.sessionActive(bobs) {
				t.Errorf(
					"got sessions %v %v and bob's %v alive, want only bob's",
					d.sessionActive(first),
					d.sessionActive(second),
					d.sessionActive(bobs),
				)
			}
			if got := d.grants(u); got != c.grants {
				t.Errorf("got active grants %q, want %q", got, c.grants)
			}
			reports := must[admin.ReportList](d, 200, "GET", "/reports?user="+u.Subject, "").Reports
			if len(reports) != 2 {
				t.Fatalf("got %d reports, want 2", len(reports))
			}
			e := d.lastEvent(c.kind)
			if e.By != "admin" || e.Reason != c.reason || e.Subject != u.Subject || e.Cause != reports[0].Cause.ID ||
				reports[0].Cause.Reason != c.reason {
				t.Errorf(
					"got audit line %+v and report cause %+v, want both of %s by admin",
					e,
					reports[0].Cause,
					c.reason,
				)
			}
		})
	}
}

func TestChangesThatAreNoWayInEndNothing(t *testing.T) {
	d := mustStart(t)
	u := d.mustAddUser("ada")
	id := d.mustSignIn(u, "s1", nil)
	for _, body := range []string{`{"name":"Ada"}`, `{"email":"ADA@example.org"}`, `{"email_verified":true}`, `{"name":null}`} {
		must[admin.User](d, 200, "PATCH", "/users/ada", body)
	}
	must[admin.User](d, 200, "POST", "/users/ada/enable", "")
	if !d.sessionActive(id) {
		t.Error("a change of claims ended a session")
	}
}

// TestAddressOfAnAdministratorIsVerifiedUnlessSaidOtherwise: it becomes a way to sign in.
func TestAddressOfAnAdministratorIsVerifiedUnlessSaidOtherwise(t *testing.T) {
	d := mustStart(t)
	if u := must[admin.User](d, 201, "POST", "/users", `{"preferred_username":"eve","email":"eve@example.org"}`); !u.EmailVerified {
		t.Error("got a new user whose address is not verified")
	}
	if u := must[admin.User](d, 201, "POST", "/users", `{"preferred_username":"mia","email":"mia@example.org","email_verified":false}`); u.EmailVerified {
		t.Error("got a new user whose address is verified, although the administrator said otherwise")
	}
	d.mustAddUser("ada")
	if u := must[admin.User](d, 200, "PATCH", "/users/ada", `{"email":"new@example.org"}`); !u.EmailVerified {
		t.Error("got a new address that is not verified")
	}
	if u := must[admin.User](d, 200, "PATCH", "/users/ada", `{"email":"newer@example.org","email_verified":false}`); u.EmailVerified {
		t.Error("got a new address that is verified, although the administrator said otherwise")
	}
}

func TestPasswordChangeCanSpareOneSession(t *testing.T) {
	d := mustStart(t)
	u := d.mustAddUser("ada")
	first, second := d.mustSignIn(u, "s1", nil), d.mustSignIn(u, "s2", nil)
	result := must[admin.TerminationResult](
		d,
		200,
		"POST",
		"/users/ada/password",
		`{"password":"another correct horse","except_session":"s1"}`,
	)
	if !d.sessionActive(first) || d.sessionActive(second) || result.Count.Sessions != 1 {
		t.Errorf(
			"got %v %v and count %+v, want only the other session ended",
			d.sessionActive(first),
			d.sessionActive(second),
			result.Count,
		)
	}
}

func TestDisabledUserIsBackOnlyWhenEnabled(t *testing.T) {
	d := mustStart(t)
	u := d.mustAddUser("ada")
	must[admin.TerminationResult](d, 200, "POST", "/users/ada/disable", "")
	s := storage.Session{
		ID:          "s9",
		SecretHash:  storage.HashOf("x"),
		Subject:     u.Subject,
		Created:     d.clock.Now(),
		LastActive:  d.clock.Now(),
		IdleTimeout: time.Hour,
		Expires:     d.clock.Now().Add(time.Hour),
	}
	if err := d.store.CreateSession(t.Context(), s, storage.Event{}); !errors.Is(err, storage.ErrRevoked) {
		t.Errorf("got %v for a disabled user's session, want ErrEnded", err)
	}
	d.mustFail(409, "disabled", "user", "POST", "/users/ada/reset-link", "")
	if u := must[admin.User](d, 200, "POST", "/users/ada/enable", ""); u.Disabled {
		t.Error("got a user who is still disabled")
	}
	d.lastEvent("user.enabled")
}

func TestResetLinkIsOneTimeAndBounded(t *testing.T) {
	d := mustStart(t)
	u := d.mustAddUser("ada")
	made := must[admin.ResetLink](d, 201, "POST", "/users/ada/reset-link", "")
	secret, ok := strings.CutPrefix(made.URL, issuer+"/reset/")
	if !ok || !made.Expires.Equal(d.clock.Now().Add(time.Hour)) {
		t.Fatalf("got %+v, want a link of our own for an hour", made)
	}
	link, err := d.store.OneTimeLink(t.Context(), storage.HashOf(secret), d.clock.Now())
	if err != nil || link.Subject != u.Subject || link.Purpose != "reset" {
		t.Errorf("got link %+v (%v), want ada's", link, err)
	}
	must[admin.ResetLink](d, 201, "POST", "/users/ada/reset-link", `{"lifetime":60}`)
	if _, err := d.store.OneTimeLink(t.Context(), storage.HashOf(secret), d.clock.Now()); !errors.Is(
		err,
		storage.ErrNotFound,
	) {
		t.Errorf("got %v for the older link, want ErrNotFound", err)
	}
	for _, lifetime := range []string{"-1", "604801", "9223372036854775807"} {
		d.mustFail(400, "invalid", "lifetime", "POST", "/users/ada/reset-link", `{"lifetime":`+lifetime+`}`)
	}
	if e := d.lastEvent("user.reset_link"); e.By != "admin" || strings.Contains(e.Subject, secret) {
		t.Errorf("got audit line %+v", e)
	}
}

func TestUsersAreListedInPages(t *testing.T) {
	d := mustStart(t)
	for _, name := range []string{"ada", "bob", "eve"} {
		d.mustAddUser(name)
	}
	first := must[admin.UserList](d, 200, "GET", "/users?limit=2", "")
	if len(first.Users) != 2 || first.Next == "" {
		t.Fatalf("got %d users and next %q, want two and more", len(first.Users), first.Next)
	}
	second := must[admin.UserList](d, 200, "GET", "/users?limit=2&after="+first.Next, "")
	if len(second.Users) != 1 || second.Users[0].Name != "eve" || second.Next != "" {
		t.Errorf("got %+v, want eve and no more", second)
	}
}
