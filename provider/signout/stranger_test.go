package signout_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/providertest"
)

// TestHintAloneLeadsToNoStranger: anyone can register a client, sign in to it and put its ID token into a link.
func TestHintAloneLeadsToNoStranger(t *testing.T) {
	o := providertest.MustStart(t, nil)
	o.MustAddStranger("evil", nil)
	o.MustAddClient("shop", nil)
	for _, client := range []string{"evil", "shop"} {
		hint := o.Browser().MustJoin("alice", client).IDToken
		target := "https://" + client + ".example/bye"
		request := providertest.EndSessionURL("id_token_hint", hint, "post_logout_redirect_uri", target)
		for _, sessionOfTheHint := range []string{"active", "ended"} {
			p := o.Browser().Do(http.MethodGet, request, nil, nil)
			leads := strings.HasPrefix(p.Header.Get("Location"), target)
			if leads != (client == "shop") {
				t.Errorf("%s, the session of the hint is %s: got %d to %q", client, sessionOfTheHint, p.Status,
					p.Header.Get("Location"))
			}
		}
	}
}
