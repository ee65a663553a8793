package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/curfew-id/curfew/storage"
)

// scrapeTimeout bounds what a scrape may ask of the store.
const scrapeTimeout = 2 * time.Second

var (
	sessionsDesc      = prometheus.NewDesc("curfew_sessions", "Sessions that are stored.", nil, nil)
	deliveriesDesc    = prometheus.NewDesc("curfew_logout_deliveries", "Deliveries that are stored, by state.", []string{"state"}, nil)
	oldestPendingDesc = prometheus.NewDesc("curfew_logout_oldest_pending_seconds", "How long the oldest pending delivery has been waiting; 0 if none is.", nil, nil)
	commitsDesc       = prometheus.NewDesc("curfew_store_commits_total", "Transactions written to disk since the start.", nil, nil)
)

// storeCollector asks the store when Prometheus asks.
type storeCollector struct {
	store Store
	now   func() time.Time
}

// Describe implements prometheus.Collector.
func (*storeCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sessionsDesc, deliveriesDesc, oldestPendingDesc, commitsDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g *storeCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	out <- prometheus.MustNewConstMetric(commitsDesc, prometheus.CounterValue, float64(g.store.Commits()))
	if n, err := g.store.CountSessions(ctx); err != nil {
		out <- prometheus.NewInvalidMetric(sessionsDesc, err)
	} else {
		gauge(sessionsDesc, float64(n))
	}
	states, oldestPending, err := g.store.CountDeliveries(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(deliveriesDesc, err)
		return
	}
	for _, state := range []storage.DeliveryState{storage.DeliveryPending, storage.DeliveryDone, storage.DeliveryFailed, storage.DeliveryCancelled} {
		gauge(deliveriesDesc, float64(states[state]), string(state))
	}
	waiting := 0.0
	if !oldestPending.IsZero() {
		waiting = g.now().Sub(oldestPending).Seconds()
	}
	gauge(oldestPendingDesc, waiting)
}
