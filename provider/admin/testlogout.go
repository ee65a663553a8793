package admin

import (
	"net/http"

	"github.com/curfew-id/curfew/storage"
)

// LogoutTestResult is what a relying party said to a real logout token for a session that it cannot know.
type LogoutTestResult struct {
	URI       string         `json:"uri"`
	Duration  int64          `json:"duration_ms"`
	Answer    storage.Answer `json:"answer"`
	Confirmed bool           `json:"confirmed"` // it would count as confirmed
	Meaning   string         `json:"meaning"`   // what the answer says, and what to do
}

// testLogout sends one logout token now, outside the outbox, and never again.
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
	trial, err := a.Outbox.SendTestToken(ctx, c)
	if err != nil {
		return err
	}
	if err := a.Store.AppendEvents(ctx, a.auditEventFor("client.tested", "", c.ClientID)); err != nil {
		return err
	}
	return writeJSON(
		w,
		http.StatusOK,
		LogoutTestResult{trial.URI, trial.Duration.Milliseconds(), trial.Answer, trial.Confirmed, trial.Meaning},
	)
}
