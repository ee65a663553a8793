package signin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// crossSite are the headers of a form that a page of another site submits.
var crossSite = http.Header{
	"Sec-Fetch-Site": {"cross-site"},
	"Sec-Fetch-Mode": {"navigate"},
	"Sec-Fetch-Dest": {"document"},
}

// longStateRig is a provider with users that sign in in different ways.
type longStateRig struct {
	*providertest.Fixture
	signedIn *providertest.Browser // alice's, who has an authenticator app
	secret   string                // of the authenticator app
	passkey  *key                  // of carol
}

func mustStartLongStateRig(t *testing.T, f *providertest.Fixture) *longStateRig {
	t.Helper()
	f.MustAddClient("consent", func(m *storage.Metadata) { m.Consent = "" })
	f.MustAddUser("bob")
	f.MustAddUser("carol")
	rig := &longStateRig{Fixture: f, signedIn: f.Browser(), passkey: newKey("carol")}
	carols := f.Browser()
	carols.MustSignIn("carol", "atlas")
	rig.passkey.mustRegister(t, carols)
	rig.signedIn.MustSignIn("alice", "atlas")
	rig.secret, _ = mustEnrol(t, rig.signedIn)
	return rig
}

// longStatePaths are the ways of an authorization request to its response. Each returns the response.
var longStatePaths = []struct {
	name    string
	wantErr string
	run     func(t *testing.T, rig *longStateRig, state string) url.Values
}{
	{"sign-in", "", func(_ *testing.T, rig *longStateRig, state string) url.Values {
		return rig.Browser().MustSignIn("bob", "atlas", "state", state)
	}},
	{"wrong password", "", func(t *testing.T, rig *longStateRig, state string) url.Values {
		b := rig.Browser()
		page := b.Submit(b.Get(providertest.AuthorizeURL("atlas", "state", state)), "username", "bob", "password", "x")
		return b.Submit(page, "username", "bob", "password", providertest.Password).ResponseParams(t)
	}},
	{"sign-in and consent", "", func(_ *testing.T, rig *longStateRig, state string) url.Values {
		return rig.Browser().MustSignIn("bob", "consent", "state", state)
	}},
	{"session", "", func(_ *testing.T, rig *longStateRig, state string) url.Values {
		return rig.signedIn.MustSignIn("alice", "atlas", "state", state)
	}},
	{"session and consent", "", func(_ *testing.T, rig *longStateRig, state string) url.Values {
		return rig.signedIn.MustSignIn("alice", "consent", "state", state, "prompt", "consent")
	}},
	{"denied consent", "access_denied", func(t *testing.T, rig *longStateRig, state string) url.Values {
		page := rig.signedIn.Get(providertest.AuthorizeURL("consent", "state", state, "prompt", "consent"))
		return rig.signedIn.Submit(page, "decision", "deny").ResponseParams(t)
	}},
	{"cancelled sign-in", "access_denied", func(t *testing.T, rig *longStateRig, state string) url.Values {
		b := rig.Browser()
		page := b.Get(providertest.AuthorizeURL("atlas", "state", state))
		return b.Get(page.Link("cancel")).ResponseParams(t)
	}},
	{"re-authentication", "", func(t *testing.T, rig *longStateRig, state string) url.Values {
		b := rig.Browser()
		b.MustSignIn("bob", "atlas")
		time.Sleep(time.Second)
		return b.MustSignIn("bob", "atlas", "state", state, "prompt", "login")
	}},
	{"chosen account", "", func(t *testing.T, rig *longStateRig, state string) url.Values {
		time.Sleep(time.Second)
		page := rig.signedIn.Get(providertest.AuthorizeURL("atlas", "state", state, "prompt", "select_account"))
		return rig.signedIn.Submit(page).ResponseParams(t)
	}},
	{"another account", "", func(t *testing.T, rig *longStateRig, state string) url.Values {
		b := rig.Browser()
		b.MustSignIn("bob", "atlas")
		time.Sleep(time.Second)
		page := b.Get(providertest.AuthorizeURL("atlas", "state", state, "prompt", "select_account"))
		page = b.Get(page.Link("other-account"))
		return rig.passkey.mustAnswer(t, b, page).ResponseParams(t)
	}},
	{"second factor", "", func(t *testing.T, rig *longStateRig, state string) url.Values {
		time.Sleep(time.Minute) // to a code that was not used
		b := rig.Browser()
		page := b.Submit(mustSendPassword(b, "state", state), "code", "000000")
		return b.Submit(page, "code", mustCode(t, rig.secret, time.Now())).ResponseParams(t)
	}},
	{"passkey", "", func(t *testing.T, rig *longStateRig, state string) url.Values {
		b := rig.Browser()
		return rig.passkey.mustAnswer(t, b, b.Get(providertest.AuthorizeURL("atlas", "state", state))).ResponseParams(t)
	}},
	{"passkey as a second factor", "", func(t *testing.T, rig *longStateRig, state string) url.Values {
		b := rig.Browser()
		page := b.Get(providertest.AuthorizeURL("atlas", "state", state, "acr_values", "mfa"))
		page = b.Submit(page, "username", "carol", "password", providertest.Password)
		return rig.passkey.mustAnswer(t, b, page).ResponseParams(t)
	}},
	{"prompt=none", "", func(_ *testing.T, rig *longStateRig, state string) url.Values {
		return rig.signedIn.MustSignIn("alice", "atlas", "state", state, "prompt", "none")
	}},
	{"prompt=none without a session", "login_required", func(_ *testing.T, rig *longStateRig, state string) url.Values {
		return rig.Browser().MustSignIn("alice", "atlas", "state", state, "prompt", "none")
	}},
	{"error", "invalid_scope", func(_ *testing.T, rig *longStateRig, state string) url.Values {
		return rig.Browser().MustSignIn("alice", "atlas", "state", state, "scope", "email")
	}},
	{"form_post", "", func(t *testing.T, rig *longStateRig, state string) url.Values {
		return formOf(
			t,
			rig.signedIn.Get(providertest.AuthorizeURL("atlas", "state", state, "response_mode", "form_post")),
		)
	}},
	{"error by form_post", "login_required", func(t *testing.T, rig *longStateRig, state string) url.Values {
		request := providertest.AuthorizeURL("atlas", "state", state, "response_mode", "form_post", "prompt", "none")
		return formOf(t, rig.Browser().Get(request))
	}},
	{"fragment", "", func(_ *testing.T, rig *longStateRig, state string) url.Values {
		return rig.Browser().MustSignIn("bob", "atlas", "state", state, "response_mode", "fragment")
	}},
	{"form of another site", "", func(t *testing.T, rig *longStateRig, state string) url.Values {
		request := providertest.AuthorizeURL("atlas", "state", state)
		form, err := url.ParseQuery(strings.TrimPrefix(request, "/authorize?"))
		if err != nil {
			t.Fatal(err)
		}
		b := rig.signedIn.Copy()
		withheld := b.Cookies // SameSite=Lax cookies do not come with the form
		b.Cookies = map[string]string{}
		page := b.Do(http.MethodPost, "/authorize", form, crossSite)
		b.Cookies = withheld
		page = b.Follow(page)
		if page.Status != http.StatusSeeOther {
			page = b.Submit(page)
		}
		return page.ResponseParams(t)
	}},
}

func formOf(t *testing.T, page providertest.Page) url.Values {
	t.Helper()
	_, fields := page.Form(t)
	return fields
}

// TestLongStatePassesEveryPath: whether a request works does not depend on how the user signs in, or on whether the
// user is signed in. The longest state that /authorize accepts passes every path; a longer one is refused with the
// limit.
func TestLongStatePassesEveryPath(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
		rig := mustStartLongStateRig(t, f)
		accepted := func(length int) bool {
			page := f.Browser().Get(providertest.AuthorizeURL("consent", "state", strings.Repeat("s", length)))
			return page.Status == http.StatusOK
		}
		longest := 8000
		for step := 4096; step > 0; step /= 2 {
			if accepted(longest + step) {
				longest += step
			}
		}
		const otherParameters = 100 // bytes that some paths have in their requests beside those above
		longest -= otherParameters
		for _, state := range []string{strings.Repeat("s1~", 2667)[:8000], strings.Repeat("s", longest)} {
			for _, path := range longStatePaths {
				t.Logf("%s with %d characters", path.name, len(state))
				got := path.run(t, rig, state)
				if got.Get("state") != state || got.Get("error") != path.wantErr {
					t.Errorf("%s: got error %q and a state of %d characters, want %q and %d",
						path.name, got.Get("error"), len(got.Get("state")), path.wantErr, len(state))
				}
			}
		}
		tooLong := strings.Repeat("s", 12_000)
		for name, browser := range map[string]*providertest.Browser{"signed out": f.Browser(), "signed in": rig.signedIn} {
			got := browser.Get(providertest.AuthorizeURL("atlas", "state", tooLong)).ResponseParams(t)
			if got.Get("error") != "invalid_request" ||
				!strings.Contains(got.Get("error_description"), "10000 characters") {
				t.Errorf("%s: got %v, want the limit", name, got.Get("error"))
			}
		}
	})
}
