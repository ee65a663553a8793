package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/curfew-id/curfew/storage"
)

// scrapeTimeout is how long the store may take to answer one scrape.
const scrapeTimeout = 2 * time.Second

var (
	sessionsDesc = prometheus.NewDesc(
		"curfew_sessions",
		"Stored sessions.",
		nil,
		nil,
	)
	deliveriesDesc = prometheus.NewDesc(
		"curfew_logout_deliveries",
		"Stored logout token deliveries, by state.",
		[]string{"state"},
		nil,
	)
	oldestPendingDesc = prometheus.NewDesc(
		"curfew_logout_oldest_pending_seconds",
		"How long the oldest pending delivery has waited; 0 if none is pending.",
		nil,
		nil,
	)
	commitsDesc = prometheus.NewDesc(
		"curfew_store_commits_total",
		"Transactions written to disk since the start.",
		nil,
		nil,
	)
)

// storeCollector reads the store at each scrape.
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
func (c *storeCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	out <- prometheus.MustNewConstMetric(commitsDesc, prometheus.CounterValue, float64(c.store.Commits()))
	if sessions, err := c.store.CountSessions(ctx); err != nil {
		out <- prometheus.NewInvalidMetric(sessionsDesc, err)
	} else {
		gauge(sessionsDesc, float64(sessions))
	}
	countByState, oldestPending, err := c.store.CountDeliveries(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(deliveriesDesc, err)
		return
	}
	states := []storage.DeliveryState{
		storage.DeliveryPending,
		storage.DeliveryDone,
		storage.DeliveryFailed,
		storage.DeliveryCancelled,
	}
	for _, state := range states {
		gauge(deliveriesDesc, float64(countByState[state]), string(state))
	}
	waiting := 0.0
	if !oldestPending.IsZero() {
		waiting = c.now().Sub(oldestPending).Seconds()
	}
	gauge(oldestPendingDesc, waiting)
}
