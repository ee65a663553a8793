package admin

import (
	"net/http"

	"github.com/curfew-id/curfew/storage"
)

// LogoutTestResult is a client's answer to a valid logout token for a session that does not exist.
type LogoutTestResult struct {
	URI       string         `json:"uri"`
	Duration  int64          `json:"duration_ms"`
	Answer    storage.Answer `json:"answer"`
	Confirmed bool           `json:"confirmed"` // the answer would confirm a logout
	Meaning   string         `json:"meaning"`   // explains the answer, and what to do
}

// testLogout sends one logout token at once. It does not use the outbox and does not retry.
func (a *api) testLogout(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	c, err := a.findClient(ctx, r.PathValue("client"))
	if err != nil {
		return err
	}
	if c.BackchannelLogoutURI == "" {
		return &Error{
			Status:  http.StatusConflict,
			Code:    "invalid",
			Message: "the client has no backchannel_logout_uri, so it cannot be notified directly",
			Field:   "backchannel_logout_uri",
		}
	}
	test, err := a.Outbox.SendTestToken(ctx, c)
	if err != nil {
		return err
	}
	if err := a.Store.AppendEvents(ctx, a.auditEventFor(r.Context(), "client.tested", "", c.ClientID)); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, LogoutTestResult{
		URI:       test.URI,
		Duration:  test.Duration.Milliseconds(),
		Answer:    test.Answer,
		Confirmed: test.Confirmed,
		Meaning:   test.Meaning,
	})
}
