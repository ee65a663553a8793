package signout_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
)

// TestSignOutAtOneClientEndsAllAndNotifiesAll is the main job: three clients, one signs the user out, the others are
// notified and every token is revoked.
func TestSignOutAtOneClientEndsAllAndNotifiesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		b := o.Browser()
		for _, id := range []string{"atlas", "ledger", "wiki"} {
			o.MustAddClient(id, nil)
		}
		atlas := b.MustJoin("alice", "atlas")
		ledger := b.MustJoin("alice", "ledger")
		wiki := b.MustJoin("alice", "wiki")
		if !o.Active("ledger", ledger.AccessToken) {
			t.Fatal("got an inactive token, want an active one before the end")
		}
		late := b.MustSignIn("alice", "ledger").Get("code") // not redeemed yet

		p := b.Get(
			"/end_session?" + url.Values{
				"id_token_hint":            {atlas.IDToken},
				"post_logout_redirect_uri": {"https://atlas.example/bye"},
				"state":                    {"a b&c"},
			}.Encode(),
		)
		if p.Status != http.StatusOK || !strings.Contains(p.Body, `id="signed-out"`) {
			t.Fatalf("got %d, want the signed-out page:\n%s", p.Status, p.Body)
		}
		if want := `https://atlas.example/bye?state=a+b%26c`; !strings.Contains(html.UnescapeString(p.Body), want) {
			t.Errorf("got no way on to %s in\n%s", want, p.Body)
		}
		for name, a := range map[string]providertest.TokenResponse{"atlas": atlas, "ledger": ledger, "wiki": wiki} {
			if o.Active(name, a.AccessToken) {
				t.Errorf("got an active access token of %s, want it revoked with the session", name)
			}
			if got := o.Token(name, url.Values{
				"grant_type":    {"refresh_token"},
				"refresh_token": {a.RefreshToken},
			}); got.Error != "invalid_grant" {
				t.Errorf("got %+v for the refresh token of %s, want invalid_grant", got, name)
			}
		}
		if got := o.Redeem("ledger", late); got.Error != "invalid_grant" {
			t.Errorf("got %+v for a code from before the end, want invalid_grant", got)
		}
		if got := b.MustPromptNone("atlas").Get("error"); got != "login_required" {
			t.Errorf("got %q for prompt=none, want login_required", got)
		}
		time.Sleep(5 * time.Second) // atlas is notified after the others
		synctest.Wait()
		posts := o.Clients.Sent()
		if len(posts) != 3 {
			t.Fatalf("got %d logout tokens, want 3", len(posts))
		}
		for _, post := range posts {
			c := providertest.MustReadClaims(t, post.Form.Get("logout_token"))
			var id map[string]any
			switch c["aud"] {
			case "atlas":
				id = providertest.MustReadClaims(t, atlas.IDToken)
			case "ledger":
				id = providertest.MustReadClaims(t, ledger.IDToken)
			case "wiki":
				id = providertest.MustReadClaims(t, wiki.IDToken)
			}
			if id == nil || c["sid"] != id["sid"] || c["sub"] != id["sub"] || c["sid"] == nil {
				t.Errorf("got logout token %v, want sid and sub of the ID token %v", c, id)
			}
			if c["nonce"] != nil || c["exp"].(float64)-c["iat"].(float64) > 120 || len(post.Form) != 1 {
				t.Errorf(
					"got logout token %v in %v, want no nonce, at most two minutes, nothing beside it",
					c,
					post.Form,
				)
			}
		}
		// They joined just before the end, so each gets a re-notification, but for the one that started the logout.
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if got := len(o.Clients.Sent()); got != 5 {
			t.Errorf("got %d logout tokens after 36 s, want 5", got)
		}
	})
}
