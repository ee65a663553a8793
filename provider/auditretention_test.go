package provider_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestOldAuditLinesAreRemoved: with audit.retention, a line is removed within an hour after its time. What is left
// begins after the line that the signed removal names.
func TestOldAuditLinesAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keep = 3 * time.Hour
		f := providertest.MustStart(t, func(c *provider.Config) { c.Audit.Retention = keep })
		old := storage.Event{Kind: "client.changed", At: time.Now()}
		for range 1200 { // more than two batches
			if err := f.Store.AppendEvents(t.Context(), old); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(keep - time.Hour)
		recent := storage.Event{Kind: "client.changed", Client: "recent", At: time.Now()}
		if err := f.Store.AppendEvents(t.Context(), recent); err != nil {
			t.Fatal(err)
		}
		removal := func() string {
			text, err := f.Store.EventRemoval(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		if text := removal(); text != "" {
			t.Errorf("got removal %q before the time", text)
		}
		time.Sleep(2*time.Hour + time.Minute)
		synctest.Wait()
		removed, err := storage.ParseRemoval(removal(), f.Ring.AuditKey())
		if err != nil {
			t.Fatal(err)
		}
		rest, _, err := f.Store.ListEvents(t.Context(), storage.EventFilter{}, storage.Page{})
		if err != nil || len(rest) == 0 || rest[0].Client != "recent" || !rest[0].Follows(removed.Seq, removed.Hash) {
			t.Errorf("got %d lines, %v after %+v, want the recent line only", len(rest), err, removed)
		}
	})
}
