package provider_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
)

// TestReadinessChecksAreMetered: anyone can ask whether the provider is ready, and each check is a commit.
func TestReadinessChecksAreMetered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := providertest.MustStart(t, nil)
		synctest.Wait()
		before := f.Store.Commits()
		for range 100 {
			if p := f.Browser().Do(http.MethodGet, "/readyz", nil, nil); p.Status != http.StatusOK {
				t.Fatalf("got %d, want 200", p.Status)
			}
		}
		if got := f.Store.Commits() - before; got != 1 {
			t.Errorf("got %d commits for 100 requests, want 1", got)
		}
		time.Sleep(2 * time.Second)
		f.Browser().Do(http.MethodGet, "/readyz", nil, nil)
		if got := f.Store.Commits() - before; got != 2 {
			t.Errorf("got %d commits after the interval, want 2", got)
		}
		f.Provider.Drain()
		if p := f.Browser().Do(http.MethodGet, "/readyz", nil, nil); p.Status != http.StatusServiceUnavailable {
			t.Errorf("got %d from a provider that shuts down, want 503 at once", p.Status)
		}
	})
}
