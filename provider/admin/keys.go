package admin

import (
	"net/http"

	"github.com/curfew-id/curfew/provider/keys"
)

// KeyList lists all keys without their private parts, the oldest first.
type KeyList struct {
	Keys []keys.Info `json:"keys"`
}

// RotateRequest says how keys are rotated.
type RotateRequest struct {
	AtOnce bool `json:"at_once,omitempty"` // the new keys sign at once, before clients have had time to fetch them
}

func (a *api) listKeys(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	return a.writeKeys(w)
}

func (a *api) rotateKeys(w http.ResponseWriter, r *http.Request) error {
	var request RotateRequest
	if err := readBody(w, r, &request); err != nil {
		return err
	}
	if err := a.Keys.Rotate(r.Context(), a.Now(), request.AtOnce, actorOf(r.Context())); err != nil {
		return err
	}
	return a.writeKeys(w)
}

// revokeKey removes a key at once, for a key that may have leaked.
func (a *api) revokeKey(w http.ResponseWriter, r *http.Request) error {
	if err := a.Keys.Revoke(r.Context(), a.Now(), r.PathValue("key"), actorOf(r.Context())); err != nil {
		return err
	}
	return a.writeKeys(w)
}

func (a *api) writeKeys(w http.ResponseWriter) error {
	return writeJSON(w, http.StatusOK, KeyList{Keys: a.Keys.List(a.Now())})
}
