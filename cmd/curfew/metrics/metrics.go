// Package metrics has the Prometheus metrics: logouts, deliveries, trust horizons, requests and the store.
//
//	logout.Observer ──▶ counters and histograms ──▶ Handler ◀── Prometheus
//	          store ──▶ gauges, read at each scrape
//
// The registry belongs to the package, so no library adds metrics to it. The values of labels come from fixed sets. No
// label names a user, client, session or token: strangers can register clients and would make the set of series grow
// without limit.
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

// Store is the part of a store that the gauges read.
type Store interface {
	CountSessions(ctx context.Context) (int, error)
	CountDeliveries(ctx context.Context) (byState map[storage.DeliveryState]int, oldest time.Time, err error)
	Commits() uint64
}

// Metrics has the counters and histograms of one process, in their own registry.
type Metrics struct {
	registry         *prometheus.Registry
	sessionsEnded    *prometheus.CounterVec
	entries          *prometheus.CounterVec
	horizon          *prometheus.HistogramVec
	unknown          *prometheus.CounterVec
	attempts         *prometheus.CounterVec
	attemptWait      *prometheus.HistogramVec
	attemptDuration  prometheus.Histogram
	unknownHosts     prometheus.Gauge
	unknownHostsWait prometheus.Gauge
	deliveryOutcomes *prometheus.CounterVec
	confirmDuration  prometheus.Histogram
	requests         *prometheus.CounterVec
	requestDuration  *prometheus.HistogramVec
}

// horizonBuckets are in seconds. They reach from the time of one request to the longest session.
var horizonBuckets = []float64{
	0,
	.1,
	.5,
	1,
	5,
	15,
	60,
	300,
	600,
	900,
	1800,
	3600,
	4 * 3600,
	12 * 3600,
	24 * 3600,
	30 * 24 * 3600,
}

// New returns the metrics of one process and its store.
func New(store Store, now func() time.Time) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "curfew", Name: name, Help: help}, labels)
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		sessionsEnded: counter(
			"session_terminations_total",
			"Sessions, client sessions and grants terminated.",
			"reason",
			"whole_session",
		),
		entries: counter(
			"logout_report_entries_total",
			"Report entries that entered a trust state.",
			"kind",
			"trust",
		),
		horizon: prometheus.NewHistogramVec(
			prometheus.HistogramOpts{
				Namespace: "curfew",
				Name:      "trust_horizon_seconds",
				Buckets:   horizonBuckets,
				Help: "How long after its termination a session may still be trusted, as published then. " +
					"Unknown entries are counted apart.",
			},
			[]string{"part"},
		),
		unknown: counter(
			"logout_unknown_entries_total",
			"Report entries without a known bound when the session was terminated.",
			"part",
		),
		attempts: counter(
			"logout_attempts_total",
			"Logout token delivery attempts, by HTTP status or class of failure.",
			"result",
		),
		attemptDuration: prometheus.NewHistogram(
			prometheus.HistogramOpts{
				Namespace: "curfew",
				Name:      "logout_attempt_seconds",
				Help:      "How long an attempt took.",
				Buckets:   []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
			},
		),
		attemptWait: prometheus.NewHistogramVec(
			prometheus.HistogramOpts{
				Namespace: "curfew",
				Name:      "logout_attempt_wait_seconds",
				Help:      "How long after it was due an attempt began, by what is known about its host.",
				Buckets:   []float64{.01, .05, .25, .5, 1, 2.5, 5, 15, 60, 300},
			},
			[]string{"host"},
		),
		unknownHosts: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "curfew",
			Name:      "logout_unknown_hosts",
			Help:      "Hosts with a delivery under way at which no attempt has ended.",
		}),
		unknownHostsWait: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "curfew",
			Name:      "logout_unknown_hosts_longest_wait_seconds",
			Help:      "How long after it was due the first attempt at a host began, at most, since the start.",
		}),
		deliveryOutcomes: counter("logout_deliveries_total", "Logout token deliveries finished.", "channel", "result"),
		confirmDuration: prometheus.NewHistogram(
			prometheus.HistogramOpts{
				Namespace: "curfew",
				Name:      "logout_confirm_seconds",
				Buckets:   horizonBuckets,
				Help:      "How long after the termination a client confirmed it.",
			},
		),
		requests: counter("http_requests_total", "Requests, by first part of the path.", "path", "status"),
		requestDuration: prometheus.NewHistogramVec(
			prometheus.HistogramOpts{
				Namespace: "curfew",
				Name:      "http_request_seconds",
				Help:      "How long a request took.",
				Buckets:   []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5},
			},
			[]string{"path"},
		),
	}
	m.createAlertSeries()
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.sessionsEnded,
		m.entries,
		m.horizon,
		m.unknown,
		m.attempts,
		m.attemptWait,
		m.attemptDuration,
		m.unknownHosts,
		m.unknownHostsWait,
		m.deliveryOutcomes,
		m.confirmDuration,
		m.requests,
		m.requestDuration,
		&storeCollector{store, now},
	)
	return m
}

// The channels of curfew_logout_deliveries_total.
const (
	channelBack           = "backchannel"
	channelRenotification = "backchannel_renotification"
)

// createAlertSeries creates the series that alerts use, with the value 0. Prometheus's increase() counts only steps
// within a series, so it would miss the first failure of a series that begins at 1.
func (m *Metrics) createAlertSeries() {
	for _, channel := range []string{channelBack, channelRenotification} {
		for _, state := range []storage.DeliveryState{storage.DeliveryDone, storage.DeliveryFailed} {
			m.deliveryOutcomes.WithLabelValues(channel, string(state))
		}
	}
	for _, result := range []string{"internal", "denied"} {
		m.attempts.WithLabelValues(result)
	}
}

// Observer returns the observer that package logout calls.
func (m *Metrics) Observer() logout.Observer {
	return logout.Observer{
		OnTermination: func(reason storage.Reason, wholeSession bool) {
			m.sessionsEnded.WithLabelValues(string(reason), strconv.FormatBool(wholeSession)).Inc()
		},
		OnTrustChange: func(kind string, trust storage.TrustState) {
			m.entries.WithLabelValues(kind, string(trust)).Inc()
		},
		OnHorizon: func(part string, remaining time.Duration, unknown int) {
			m.horizon.WithLabelValues(part).Observe(remaining.Seconds())
			m.unknown.WithLabelValues(part).Add(float64(unknown))
		},
		OnAttemptStart: func(hostClass string, wait time.Duration) {
			m.attemptWait.WithLabelValues(hostClass).Observe(wait.Seconds())
		},
		OnUnknownHosts: func(counts logout.UnknownHosts) {
			m.unknownHosts.Set(float64(counts.Waiting))
			m.unknownHostsWait.Set(counts.LongestWait.Seconds())
		},
		OnAttempt: func(_, class string, took time.Duration) {
			m.attempts.WithLabelValues(class).Inc()
			m.attemptDuration.Observe(took.Seconds())
		},
		OnDeliveryFinished: func(_ string, state storage.DeliveryState, renotification bool) {
			channel := channelBack
			if renotification {
				channel = channelRenotification
			}
			m.deliveryOutcomes.WithLabelValues(channel, string(state)).Inc()
		},
		OnConfirmation: func(_ string, sinceTermination time.Duration) {
			m.confirmDuration.Observe(sinceTermination.Seconds())
		},
	}
}

// Handler serves the metrics at /metrics.
func (m *Metrics) Handler(log *slog.Logger) http.Handler {
	options := promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError)}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, options))
	return mux
}

// CountRequests returns a handler that counts and times the requests to next. base is the path of the issuer.
func (m *Metrics) CountRequests(next http.Handler, base string, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := now()
		path := pathLabel(strings.TrimPrefix(r.URL.Path, base))
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			m.requests.WithLabelValues(path, strconv.Itoa(recorder.status)).Inc()
			m.requestDuration.WithLabelValues(path).Observe(now().Sub(start).Seconds())
		}()
		next.ServeHTTP(recorder, r)
	})
}

// pathLabel returns the first segment of a known path. It returns "other" for all other paths, because strangers can
// request any path.
func pathLabel(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "authorize",
		"token",
		"userinfo",
		"introspect",
		"revoke",
		"jwks",
		"end_session",
		"login",
		"consent",
		"signed-out",
		"account",
		"register",
		"check_session",
		"healthz",
		"readyz",
		".well-known":
		return "/" + first
	}
	return "other"
}

// statusRecorder records the status of a response.
type statusRecorder struct {
	http.ResponseWriter
	status  int
	written bool
}

func (r *statusRecorder) WriteHeader(status int) {
	if !r.written {
		r.status = status
		r.written = true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *statusRecorder) Write(b []byte) (int, error) {
	r.written = true
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
