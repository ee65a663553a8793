package admin

import (
	"context"
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
)

// DeliveryStore has the methods of the store that the routes of deliveries call.
type DeliveryStore interface {
	Delivery(ctx context.Context, id string) (storage.Delivery, error)
	ListDeliveries(ctx context.Context, f storage.DeliveryFilter, p storage.Page) ([]storage.Delivery, string, error)
}

// Outbox retries and cancels deliveries, sends test tokens and counts unknown hosts (logout.Dispatcher).
type Outbox interface {
	RetryDelivery(ctx context.Context, id, by string) error
	CancelDelivery(ctx context.Context, id, by string) error
	SendTestToken(ctx context.Context, c *storage.Client) (logout.TestDelivery, error)
	UnknownHosts() logout.UnknownHosts
}

// Delivery is a delivery in the API, without its sid.
type Delivery struct {
	storage.Delivery
	SID     string `json:"sid,omitempty"`     // always empty: it hides the sid of storage.Delivery from the JSON
	Meaning string `json:"meaning,omitempty"` // explains the last answer, or a re-notification without an answer
}

// DeliveryList is a page of deliveries, newest first.
type DeliveryList struct {
	Deliveries []Delivery `json:"deliveries"`
	Next       string     `json:"next,omitempty"`
}

func toDelivery(d storage.Delivery) Delivery {
	view := Delivery{Delivery: d}
	switch {
	case !d.Answer.At.IsZero():
		view.Meaning = logout.ExplainAnswer(d.Answer)
	case d.Renotification && d.State == storage.DeliveryPending:
		view.Meaning = "re-notification: the client joined less than 30 s before the end, " +
			"and may have been signing the user in when the first logout token came"
	}
	return view
}

func (a *api) listDeliveries(w http.ResponseWriter, r *http.Request) error {
	values, page, err := parsePage(r, "state", "client", "report")
	if err != nil {
		return err
	}
	filter := storage.DeliveryFilter{
		State:  storage.DeliveryState(values.Get("state")),
		Client: values.Get("client"),
		Report: values.Get("report"),
	}
	states := []storage.DeliveryState{
		"",
		storage.DeliveryPending,
		storage.DeliveryDone,
		storage.DeliveryFailed,
		storage.DeliveryCancelled,
	}
	if !slices.Contains(states, filter.State) {
		return invalid("state", "must be one of pending, done, failed and cancelled")
	}
	deliveries, next, err := a.Store.ListDeliveries(r.Context(), filter, page)
	if err != nil {
		return err
	}
	list := DeliveryList{Deliveries: make([]Delivery, 0, len(deliveries)), Next: next}
	for _, d := range deliveries {
		list.Deliveries = append(list.Deliveries, toDelivery(d))
	}
	return writeJSON(w, http.StatusOK, list)
}

func (a *api) showDelivery(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("delivery")
	d, err := a.Store.Delivery(r.Context(), id)
	if err != nil {
		return explainNotFound(err, "delivery", id)
	}
	return writeJSON(w, http.StatusOK, toDelivery(d))
}

// retryDelivery makes a delivery due at once, also one that has failed.
func (a *api) retryDelivery(w http.ResponseWriter, r *http.Request) error {
	if err := a.Outbox.RetryDelivery(r.Context(), r.PathValue("delivery"), actorOf(r.Context())); err != nil {
		return explainNotFound(err, "delivery", r.PathValue("delivery"))
	}
	return a.showDelivery(w, r)
}

// cancelDelivery cancels a delivery. The trust state of its report entry stays.
func (a *api) cancelDelivery(w http.ResponseWriter, r *http.Request) error {
	if err := a.Outbox.CancelDelivery(r.Context(), r.PathValue("delivery"), actorOf(r.Context())); err != nil {
		return explainNotFound(err, "delivery", r.PathValue("delivery"))
	}
	return a.showDelivery(w, r)
}
