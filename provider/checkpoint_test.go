package provider_test

import (
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestCheckpointsLeaveTheStore: each interval in which the trail has grown brings one, which fits the trail. One that
// was not taken is sent again.
func TestCheckpointsLeaveTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const target = "https://log.example/checkpoints"
		f := providertest.MustStart(t, func(c *provider.Config) {
			c.Audit.CheckpointEvery, c.Audit.CheckpointURL = time.Hour, target
		})
		var refuses atomic.Bool
		refuses.Store(true)
		f.Clients.Answer(func(string, url.Values) (egress.Response, error) {
			if refuses.Load() {
				return egress.Response{Status: http.StatusServiceUnavailable}, nil
			}
			return egress.Response{Status: http.StatusOK}, nil
		})
		time.Sleep(90 * time.Minute)
		refuses.Store(false)
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		posts := f.Clients.Sent()
		if len(posts) != 2 || posts[1].URI != target || posts[1].Form.Get("iss") != providertest.Issuer {
			t.Fatalf("got %+v, want a refused checkpoint and the same again", posts)
		}
		checkpoint, err := storage.ParseCheckpoint(posts[1].Form.Get("checkpoint"), f.Ring.AuditKey())
		if err != nil {
			t.Fatal(err)
		}
		events, _, err := f.Store.ListEvents(t.Context(), storage.EventFilter{}, storage.Page{})
		if err != nil || checkpoint.Seq != uint64(len(events)) || checkpoint.Hash != events[len(events)-1].Hash {
			t.Errorf("got checkpoint %+v and %d lines, %v", checkpoint, len(events), err)
		}
		f.MustAddUser("bob")
	})
}
