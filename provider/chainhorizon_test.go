package provider_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider/admin"
)

// TestChainHorizonIsNotShorterThanObserved: the other provider ends its session and sends nothing. The published bound
// over the chain holds for the session here and its tokens.
func TestChainHorizonIsNotShorterThanObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := mustSetUpScenario(t, signInOptions{upstream: true, upstreamExpires: true}, nil)
		path := "/sessions/" + string(h.MustFindSession("alice", h.laptop))
		var view admin.Session
		if err := json.Unmarshal([]byte(h.MustAdmin(http.MethodGet, path, "").Body), &view); err != nil {
			t.Fatal(err)
		}
		chain := view.Horizon.Chain
		if chain == nil || chain.BoundBy != "session_expiry" ||
			!slices.Equal(view.Horizon.Upstream.UnknownNames, []string{"up"}) {
			t.Fatalf(
				"got the horizon %+v, want a chain bound by session_expiry, and the session at up unknown",
				view.Horizon,
			)
		}
		time.Sleep(time.Until(chain.SessionEndsAt))
		if h.sessionActive(h.oldLaptop) || h.accessTokenActive("atlas", h.opaqueTokens.AccessToken) {
			t.Error("got the session active after its published end")
		}
		time.Sleep(time.Until(chain.ExpiresAt))
		if h.verifiesLocally(h.jwtTokens.AccessToken) {
			t.Error("got a JWT access token accepted after the bound of the chain")
		}
	})
}
