package admin

import (
	"context"
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
)

// DeliveryStore is what the routes of deliveries ask of the store.
type DeliveryStore interface {
	Delivery(ctx context.Context, id string) (storage.Delivery, error)
	ListDeliveries(ctx context.Context, f storage.DeliveryFilter, p storage.Page) ([]storage.Delivery, string, error)
}

// Outbox is what an operator can do about deliveries (logout.Dispatcher).
type Outbox interface {
	Retry(ctx context.Context, id, by string) error
	GiveUp(ctx context.Context, id, by string) error
	Try(ctx context.Context, c *storage.Client) (logout.Trial, error)
}

// Delivery is one logout token on its way, without the sid it is about.
type Delivery struct {
	storage.Delivery
	SID     string `json:"sid,omitempty"`     // never set: it takes the place of the one inside
	Meaning string `json:"meaning,omitempty"` // of the last answer, or why there is none yet, in a sentence
}

// DeliveryList is a page of deliveries, newest first.
type DeliveryList struct {
	Deliveries []Delivery `json:"deliveries"`
	Next       string     `json:"next,omitempty"`
}

func deliveryOf(d storage.Delivery) Delivery {
	shown := Delivery{Delivery: d}
	switch {
	case !d.Answer.At.IsZero():
		shown.Meaning = logout.Meaning(d.Answer)
	case d.Late && d.State == storage.DeliveryPending:
		shown.Meaning = "to be told a second time: it joined less than 30 s before the end, and may have been letting the person in when it was told first"
	}
	return shown
}

func (a *api) listDeliveries(w http.ResponseWriter, r *http.Request) error {
	values, page, err := paged(r, "state", "client", "report")
	if err != nil {
		return err
	}
	f := storage.DeliveryFilter{State: storage.DeliveryState(values.Get("state")), Client: values.Get("client"), Report: values.Get("report")}
	states := []storage.DeliveryState{"", storage.DeliveryPending, storage.DeliveryDone, storage.DeliveryFailed, storage.DeliveryCancelled}
	if !slices.Contains(states, f.State) {
		return invalid("state", "is none of pending, done, failed and cancelled")
	}
	deliveries, next, err := a.Store.ListDeliveries(r.Context(), f, page)
	if err != nil {
		return err
	}
	list := DeliveryList{Deliveries: make([]Delivery, 0, len(deliveries)), Next: next}
	for _, d := range deliveries {
		list.Deliveries = append(list.Deliveries, deliveryOf(d))
	}
	return write(w, http.StatusOK, list)
}

func (a *api) showDelivery(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("delivery")
	d, err := a.Store.Delivery(r.Context(), id)
	if err != nil {
		return named(err, "delivery", id)
	}
	return write(w, http.StatusOK, deliveryOf(d))
}

// retryDelivery makes it due at once, one that was given up too.
func (a *api) retryDelivery(w http.ResponseWriter, r *http.Request) error {
	if err := a.Outbox.Retry(r.Context(), r.PathValue("delivery"), By); err != nil {
		return named(err, "delivery", r.PathValue("delivery"))
	}
	return a.showDelivery(w, r)
}

// cancelDelivery gives it up; what its holder may trust stays as it was.
func (a *api) cancelDelivery(w http.ResponseWriter, r *http.Request) error {
	if err := a.Outbox.GiveUp(r.Context(), r.PathValue("delivery"), By); err != nil {
		return named(err, "delivery", r.PathValue("delivery"))
	}
	return a.showDelivery(w, r)
}
