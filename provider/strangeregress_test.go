package provider_test

import (
	"testing"
	"testing/synctest"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
)

// TestStrangersAreCalledThroughTheirOwnEgress: the addresses in egress.allow are for clients that an operator registered.
func TestStrangersAreCalledThroughTheirOwnEgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		strangers := &providertest.Clients{}
		f := providertest.MustStart(t, func(c *provider.Config) { c.SelfRegisteredEgress = strangers })
		f.MustAddClient("shop", nil)
		f.MustAddStranger("stranger", nil)
		b := f.Browser()
		b.MustJoin("alice", "shop")
		b.MustJoin("alice", "stranger")
		f.MustAdmin("POST", "/logouts", `{"user":"alice"}`)
		synctest.Wait()
		posted := func(c *providertest.Clients) (uris []string) {
			for _, post := range c.Sent() {
				uris = append(uris, post.URI)
			}
			return uris
		}
		if got := posted(strangers); len(got) != 1 || got[0] != "https://stranger.example/backchannel" {
			t.Errorf("got %v through the egress of strangers, want the stranger's client", got)
		}
		if got := posted(f.Clients); len(got) != 1 || got[0] != "https://shop.example/backchannel" {
			t.Errorf("got %v through the operator's egress, want the operator's client", got)
		}
	})
}
