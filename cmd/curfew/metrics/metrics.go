// Package metrics owns what Prometheus may ask: logouts, deliveries and trust horizons first, requests and the store besides.
//
//	logout.Observe ──▶ counters and histograms ──▶ Handler ◀── Prometheus
//	         store ──▶ gauges, asked when Prometheus asks
//
// It has a registry of its own, and labels from fixed sets only: never a person, a client that anybody
// may have registered, a session or a token.
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
)

// Store is what the gauges ask.
type Store interface {
	CountSessions(ctx context.Context) (int, error)
	CountDeliveries(ctx context.Context) (byState map[storage.DeliveryState]int, oldest time.Time, err error)
	Commits() uint64
}

// Metrics is one registry.
type Metrics struct {
	registry  *prometheus.Registry
	ended     *prometheus.CounterVec
	rows      *prometheus.CounterVec
	horizon   *prometheus.HistogramVec
	unknown   *prometheus.CounterVec
	attempts  *prometheus.CounterVec
	attempt   prometheus.Histogram
	settled   *prometheus.CounterVec
	confirmed prometheus.Histogram
	requests  *prometheus.CounterVec
	request   *prometheus.HistogramVec
}

// spans reach from one request to a day: a horizon is that of a token or that of a session.
var spans = []float64{0, .1, .5, 1, 5, 15, 60, 300, 600, 900, 1800, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 30 * 24 * 3600}

// New makes the metrics of a process whose store this is.
func New(store Store, now func() time.Time) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "curfew", Name: name, Help: help}, labels)
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		ended:    counter("sessions_ended_total", "Sessions, shares of sessions and grants that ended, by reason.", "reason", "whole"),
		rows:     counter("logout_rows_total", "Times that a holder of an ended session came into a trust state.", "kind", "state"),
		horizon: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "curfew", Name: "trust_horizon_seconds", Buckets: spans,
			Help: "How long after its end a session may still be trusted, as published at the end; unknown holders are counted apart."}, []string{"scope"}),
		unknown:  counter("unknown_holders_total", "Holders of ended sessions of which nobody can know, at the end.", "scope"),
		attempts: counter("logout_attempts_total", "Attempts to bring a logout token, by HTTP status or class of failure.", "result"),
		attempt: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "curfew", Name: "logout_attempt_seconds", Help: "How long an attempt took.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}}),
		settled: counter("logout_deliveries_total", "Deliveries that came to rest.", "channel", "result"),
		confirmed: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "curfew", Name: "logout_confirm_seconds", Buckets: spans,
			Help: "How long after the end an application confirmed it."}),
		requests: counter("http_requests_total", "Requests, by first part of the path.", "path", "status"),
		request: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "curfew", Name: "http_request_seconds", Help: "How long a request took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5}}, []string{"path"}),
	}
	// What alerts ask for is there from the start: the rise from nothing to one would be none.
	for _, channel := range []string{"backchannel", "backchannel_late"} {
		for _, state := range []storage.DeliveryState{storage.DeliveryDone, storage.DeliveryFailed} {
			m.settled.WithLabelValues(channel, string(state))
		}
	}
	for _, result := range []string{"internal", "denied"} {
		m.attempts.WithLabelValues(result)
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.ended, m.rows, m.horizon, m.unknown, m.attempts, m.attempt, m.settled, m.confirmed, m.requests, m.request, &storeGauges{store, now})
	return m
}

// Observe is what package logout reports to.
func (m *Metrics) Observe() logout.Observe {
	return logout.Observe{
		Ended: func(reason storage.Reason, whole bool) {
			m.ended.WithLabelValues(string(reason), strconv.FormatBool(whole)).Inc()
		},
		Row: func(kind string, trust storage.TrustState) { m.rows.WithLabelValues(kind, string(trust)).Inc() },
		Horizon: func(scope string, d time.Duration, unknown int) {
			m.horizon.WithLabelValues(scope).Observe(d.Seconds())
			m.unknown.WithLabelValues(scope).Add(float64(unknown))
		},
		Attempt: func(_, class string, took time.Duration) {
			m.attempts.WithLabelValues(class).Inc()
			m.attempt.Observe(took.Seconds())
		},
		Settled: func(_ string, state storage.DeliveryState, late bool) {
			channel := "backchannel"
			if late {
				channel = "backchannel_late"
			}
			m.settled.WithLabelValues(channel, string(state)).Inc()
		},
		Confirmed: func(_ string, after time.Duration) { m.confirmed.Observe(after.Seconds()) },
	}
}

// Handler answers Prometheus at /metrics.
func (m *Metrics) Handler(log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError)}))
	return mux
}

// Count counts the requests that next serves below base, the issuer's path.
func (m *Metrics) Count(next http.Handler, base string, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, rec, path := now(), &recorder{ResponseWriter: w, status: http.StatusOK}, firstPart(strings.TrimPrefix(r.URL.Path, base))
		defer func() {
			m.requests.WithLabelValues(path, strconv.Itoa(rec.status)).Inc()
			m.request.WithLabelValues(path).Observe(now().Sub(start).Seconds())
		}()
		next.ServeHTTP(rec, r)
	})
}

// firstPart keeps the label to the paths there are: a stranger can ask for any.
func firstPart(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "authorize", "token", "userinfo", "introspect", "revoke", "jwks", "end_session", "login", "consent", "signed-out", "account",
		"register", "check_session", "healthz", "readyz", ".well-known":
		return "/" + first
	}
	return "other"
}

// recorder remembers the status.
type recorder struct {
	http.ResponseWriter
	status  int
	written bool
}

func (r *recorder) WriteHeader(status int) {
	if !r.written {
		r.status, r.written = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.written = true
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
