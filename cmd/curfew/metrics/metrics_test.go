package metrics_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/cmd/curfew/metrics"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

func TestLogoutsAndRequestsAreCounted(t *testing.T) {
	store, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "curfew.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	m := metrics.New(store, time.Now)
	o := m.Observer()
	o.OnTermination(storage.ReasonLogout, true)
	o.OnTrustChange("client_session", storage.TrustConfirmed)
	o.OnHorizon("clients", 90*time.Second, 2)
	o.OnAttempt("atlas", "200", time.Millisecond)
	o.OnDeliveryFinished("atlas", storage.DeliveryDone, false)
	o.OnConfirmation("atlas", 300*time.Millisecond)
	counted := m.CountRequests(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
		"/base",
		time.Now,
	)
	for _, path := range []string{"/base/token", "/base/token", "/base/login/secret-interaction", "/wp-admin"} {
		counted.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}

	w := httptest.NewRecorder()
	m.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`curfew_session_terminations_total{reason="rp_initiated",whole_session="true"} 1`,
		`curfew_logout_report_entries_total{kind="client_session",trust="confirmed"} 1`,
		`curfew_trust_horizon_seconds_sum{part="clients"} 90`,
		`curfew_logout_unknown_entries_total{part="clients"} 2`,
		`curfew_logout_attempts_total{result="200"} 1`,
		`curfew_logout_deliveries_total{channel="backchannel",result="done"} 1`,
		`curfew_logout_deliveries_total{channel="backchannel",result="failed"} 0`,
		`curfew_logout_attempts_total{result="internal"} 0`,
		`curfew_logout_confirm_seconds_count 1`,
		`curfew_http_requests_total{path="/token",status="418"} 2`,
		`curfew_http_requests_total{path="/login",status="418"} 1`,
		`curfew_http_requests_total{path="other",status="418"} 1`,
		`curfew_sessions 0`,
		`curfew_logout_deliveries{state="pending"} 0`,
		`curfew_logout_oldest_pending_seconds 0`,
		`curfew_store_commits_total `,
	} {
		if !strings.Contains(w.Body.String(), "\n"+line) {
			t.Errorf("missing: %s", line)
		}
	}
	if strings.Contains(w.Body.String(), "secret-interaction") {
		t.Error("a path with an interaction became a label")
	}
}
