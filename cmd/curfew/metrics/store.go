package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/curfew-id/curfew/storage"
)

// askTimeout bounds what a scrape may ask of the store.
const askTimeout = 2 * time.Second

var (
	sessions   = prometheus.NewDesc("curfew_sessions", "Sessions that are stored.", nil, nil)
	deliveries = prometheus.NewDesc("curfew_logout_deliveries", "Deliveries that are stored, by state.", []string{"state"}, nil)
	oldest     = prometheus.NewDesc("curfew_logout_oldest_pending_seconds", "How long the oldest pending delivery has been waiting; 0 if none is.", nil, nil)
	commits    = prometheus.NewDesc("curfew_store_commits_total", "Transactions written to disk since the start.", nil, nil)
)

// storeGauges asks the store when Prometheus asks.
type storeGauges struct {
	store Store
	now   func() time.Time
}

// Describe implements prometheus.Collector.
func (*storeGauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sessions, deliveries, oldest, commits} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g *storeGauges) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	out <- prometheus.MustNewConstMetric(commits, prometheus.CounterValue, float64(g.store.Commits()))
	if n, err := g.store.CountSessions(ctx); err != nil {
		out <- prometheus.NewInvalidMetric(sessions, err)
	} else {
		gauge(sessions, float64(n))
	}
	states, since, err := g.store.CountDeliveries(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(deliveries, err)
		return
	}
	for _, state := range []storage.DeliveryState{storage.DeliveryPending, storage.DeliveryDone, storage.DeliveryFailed, storage.DeliveryCancelled} {
		gauge(deliveries, float64(states[state]), string(state))
	}
	waiting := 0.0
	if !since.IsZero() {
		waiting = g.now().Sub(since).Seconds()
	}
	gauge(oldest, waiting)
}
