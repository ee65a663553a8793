package admin

import (
	"net/http"

	"github.com/curfew-id/curfew/storage"
)

// Trial is what a relying party said to a real logout token for a session that it cannot know.
type Trial struct {
	URI     string         `json:"uri"`
	Took    int64          `json:"took_ms"`
	Answer  storage.Answer `json:"answer"`
	OK      bool           `json:"ok"`      // it would count as confirmed
	Meaning string         `json:"meaning"` // what the answer says, and what to do
}

// testLogout sends one logout token now, outside the outbox, and never again.
func (a *api) testLogout(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	c, err := a.client(ctx, r.PathValue("client"))
	if err != nil {
		return err
	}
	if c.BackchannelLogoutURI == "" {
		return &Error{Status: http.StatusConflict, Code: "invalid", Message: "the client has no backchannel_logout_uri, so it cannot be told directly", Field: "backchannel_logout_uri"}
	}
	trial, err := a.Outbox.Try(ctx, c)
	if err != nil {
		return err
	}
	if err := a.Store.AppendEvents(ctx, a.about("client.tested", "", c.ClientID)); err != nil {
		return err
	}
	return write(w, http.StatusOK, Trial{trial.URI, trial.Took.Milliseconds(), trial.Answer, trial.OK, trial.Meaning})
}
