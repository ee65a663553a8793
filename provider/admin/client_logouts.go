package admin

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// Sessions lists GET /sessions. query may have user and client.
func (c *Client) Sessions(ctx context.Context, query url.Values) iter.Seq2[Session, error] {
	return listAll(ctx, c, "/sessions", query, func(l SessionList) ([]Session, string) { return l.Sessions, l.Next })
}

// Session calls GET /sessions/{session}. With includeOffline, the horizon assumes that offline access ends too.
func (c *Client) Session(ctx context.Context, id string, includeOffline bool) (Session, error) {
	query := url.Values{"include_offline": {strconv.FormatBool(includeOffline)}}
	return call[Session](ctx, c, http.MethodGet, joinPath("sessions", id), query, nil)
}

// Terminate calls POST /logouts.
func (c *Client) Terminate(ctx context.Context, request TerminationRequest) (TerminationResult, error) {
	return call[TerminationResult](ctx, c, http.MethodPost, "/logouts", nil, request)
}

// BulkLogouts calls GET /logouts.
func (c *Client) BulkLogouts(ctx context.Context) ([]BulkLogout, error) {
	list, err := call[BulkLogoutList](ctx, c, http.MethodGet, "/logouts", nil, nil)
	return list.BulkLogouts, err
}

// Reports lists GET /reports. query may have user, client and cause.
func (c *Client) Reports(ctx context.Context, query url.Values) iter.Seq2[Report, error] {
	return listAll(ctx, c, "/reports", query, func(l ReportList) ([]Report, string) { return l.Reports, l.Next })
}

// Report calls GET /reports/{report}.
func (c *Client) Report(ctx context.Context, id string) (Report, error) {
	return call[Report](ctx, c, http.MethodGet, joinPath("reports", id), nil, nil)
}

// SignedReport calls GET /reports/{report}/signed and returns the JWT.
func (c *Client) SignedReport(ctx context.Context, id string) (string, error) {
	body, err := c.Raw(ctx, joinPath("reports", id, "signed"), nil)
	if err != nil {
		return "", err
	}
	defer body.Close()
	token, err := io.ReadAll(body)
	if err != nil {
		return "", fmt.Errorf("read signed report: %w", err)
	}
	return string(token), nil
}

// Deliveries lists GET /deliveries. query may have state, client and report.
func (c *Client) Deliveries(ctx context.Context, query url.Values) iter.Seq2[Delivery, error] {
	unpack := func(l DeliveryList) ([]Delivery, string) { return l.Deliveries, l.Next }
	return listAll(ctx, c, "/deliveries", query, unpack)
}

// Delivery calls GET /deliveries/{delivery}.
func (c *Client) Delivery(ctx context.Context, id string) (Delivery, error) {
	return call[Delivery](ctx, c, http.MethodGet, joinPath("deliveries", id), nil, nil)
}

// RetryDelivery calls POST /deliveries/{delivery}/retry.
func (c *Client) RetryDelivery(ctx context.Context, id string) (Delivery, error) {
	return call[Delivery](ctx, c, http.MethodPost, joinPath("deliveries", id, "retry"), nil, nil)
}

// CancelDelivery calls POST /deliveries/{delivery}/cancel.
func (c *Client) CancelDelivery(ctx context.Context, id string) (Delivery, error) {
	return call[Delivery](ctx, c, http.MethodPost, joinPath("deliveries", id, "cancel"), nil, nil)
}
