package logout

import (
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// TestLaterClientWithTheSameIDGetsNoLogoutTokenOfTheFormerOne: the clock is set back before the later client is
// registered, so that its time of creation comes before that of the delivery.
func TestLaterClientWithTheSameIDGetsNoLogoutTokenOfTheFormerOne(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		no := false
		w.client("shop", storage.Metadata{Renotify: &no})
		w.session("shop")
		terminator := w.terminator(w.dispatcher()) // neither of them runs: the delivery stays pending
		_, err := terminator.End(t.Context(), storage.EndRequest{
			Selector: storage.Selector{Client: "shop", IncludeOffline: true},
			Change:   storage.Change{RemoveClient: "shop"},
			Cause:    storage.Cause{Reason: storage.ReasonClientRemoved, By: "admin"},
		})
		w.must(err)
		deliveries, _, err := w.store.ListDeliveries(t.Context(), storage.DeliveryFilter{}, storage.Page{Limit: 10})
		w.must(err)
		if len(deliveries) != 1 {
			t.Fatalf("%d deliveries, want 1", len(deliveries))
		}
		later := storage.Metadata{ClientID: "shop", BackchannelLogoutURI: "https://later.example/bcl"}
		w.must(w.store.PutClient(t.Context(), storage.Client{Metadata: later, Created: time.Now().Add(-time.Hour)}))
		if got := w.dispatcher().withCurrentMetadata(t.Context(), deliveries[0]).URI; got != "https://shop.example/bcl" {
			t.Errorf("the logout token of the removed client goes to %s", got)
		}
	})
}
