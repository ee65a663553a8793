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
	registry         *prometheus.Registry
	sessionsEnded    *prometheus.CounterVec
	entries          *prometheus.CounterVec
	horizon          *prometheus.HistogramVec
	unknown          *prometheus.CounterVec
	attempts         *prometheus.CounterVec
	attemptDuration  prometheus.Histogram
	deliveryOutcomes *prometheus.CounterVec
	confirmDuration  prometheus.Histogram
	requests         *prometheus.CounterVec
	requestDuration  *prometheus.HistogramVec
}

// horizonBuckets reach from one request to a day: a horizon is that of a token or that of a session.
var horizonBuckets = []float64{0, .1, .5, 1, 5, 15, 60, 300, 600, 900, 1800, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 30 * 24 * 3600}

// New makes the metrics of a process whose store this is.
func New(store Store, now func() time.Time) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "curfew", Name: name, Help: help}, labels)
	}
	m := &Metrics{
		registry:      prometheus.NewRegistry(),
		sessionsEnded: counter("sessions_ended_total", "Sessions, shares of sessions and grants that ended, by reason.", "reason", "whole"),
		entries:       counter("logout_rows_total", "Times that a holder of an ended session came into a trust state.", "kind", "state"),
		horizon: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "curfew", Name: "trust_horizon_seconds", Buckets: horizonBuckets,
			Help: "How long after its end a session may still be trusted, as published at the end; unknown holders are counted apart."}, []string{"scope"}),
		unknown:  counter("unknown_holders_total", "Holders of ended sessions of which nobody can know, at the end.", "scope"),
		attempts: counter("logout_attempts_total", "Attempts to bring a logout token, by HTTP status or class of failure.", "result"),
		attemptDuration: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "curfew", Name: "logout_attempt_seconds", Help: "How long an attempt took.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}}),
		deliveryOutcomes: counter("logout_deliveries_total", "Deliveries that came to rest.", "channel", "result"),
		confirmDuration: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "curfew", Name: "logout_confirm_seconds", Buckets: horizonBuckets,
			Help: "How long after the end an application confirmed it."}),
		requests: counter("http_requests_total", "Requests, by first part of the path.", "path", "status"),
		requestDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "curfew", Name: "http_request_seconds", Help: "How long a request took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5}}, []string{"path"}),
	}
	// What alerts ask for is there from the start: the rise from nothing to one would be none.
	for _, channel := range []string{"backchannel", "backchannel_late"} {
		for _, state := range []storage.DeliveryState{storage.DeliveryDone, storage.DeliveryFailed} {
			m.deliveryOutcomes.WithLabelValues(channel, string(state))
		}
	}
	for _, result := range []string{"internal", "denied"} {
		m.attempts.WithLabelValues(result)
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.sessionsEnded, m.entries, m.horizon, m.unknown, m.attempts, m.attemptDuration, m.deliveryOutcomes, m.confirmDuration, m.requests, m.requestDuration, &storeCollector{store, now})
	return m
}

// Observe is what package logout reports to.
func (m *Metrics) Observe() logout.Observer {
	return logout.Observer{
		OnTermination: func(reason storage.Reason, whole bool) {
			m.sessionsEnded.WithLabelValues(string(reason), strconv.FormatBool(whole)).Inc()
		},
		OnTrustChange: func(kind string, trust storage.TrustState) { m.entries.WithLabelValues(kind, string(trust)).Inc() },
		OnHorizon: func(scope string, d time.Duration, unknown int) {
			m.horizon.WithLabelValues(scope).Observe(d.Seconds())
			m.unknown.WithLabelValues(scope).Add(float64(unknown))
		},
		OnAttempt: func(_, class string, took time.Duration) {
			m.attempts.WithLabelValues(class).Inc()
			m.attemptDuration.Observe(took.Seconds())
		},
		OnDeliveryFinished: func(_ string, state storage.DeliveryState, renotification bool) {
			channel := "backchannel"
			if renotification {
				channel = "backchannel_late"
			}
			m.deliveryOutcomes.WithLabelValues(channel, string(state)).Inc()
		},
		OnConfirmation: func(_ string, after time.Duration) { m.confirmDuration.Observe(after.Seconds()) },
	}
}

// Handler answers Prometheus at /metrics.
func (m *Metrics) Handler(log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError)}))
	return mux
}

// CountRequests counts the requests that next serves below base, the issuer's path.
func (m *Metrics) CountRequests(next http.Handler, base string, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, rec, path := now(), &statusRecorder{ResponseWriter: w, status: http.StatusOK}, pathLabel(strings.TrimPrefix(r.URL.Path, base))
		defer func() {
			m.requests.WithLabelValues(path, strconv.Itoa(rec.status)).Inc()
			m.requestDuration.WithLabelValues(path).Observe(now().Sub(start).Seconds())
		}()
		next.ServeHTTP(rec, r)
	})
}

// pathLabel keeps the label to the paths there are: a stranger can ask for any.
func pathLabel(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "authorize", "token", "userinfo", "introspect", "revoke", "jwks", "end_session", "login", "consent", "signed-out", "account",
		"register", "check_session", "healthz", "readyz", ".well-known":
		return "/" + first
	}
	return "other"
}

// statusRecorder remembers the status.
type statusRecorder struct {
	http.ResponseWriter
	status  int
	written bool
}

func (r *statusRecorder) WriteHeader(status int) {
	if !r.written {
		r.status, r.written = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *statusRecorder) Write(b []byte) (int, error) {
	r.written = true
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
