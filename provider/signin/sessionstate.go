package signin

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"

	"github.com/curfew-id/curfew/provider/keys"
)

// sessionState is the session_state of Session Management 1.0 §2, with a fresh salt. The browser state is a random cookie that changes on
// login, logout and change of user.
func (h *Handler) sessionState(w http.ResponseWriter, r *http.Request, q *request) string {
	u, err := url.Parse(q.RedirectURI)
	if err != nil {
		return ""
	}
	return SessionState(q.Client, u.Scheme+"://"+u.Host, h.Site.State(w, r), keys.Random("")[:16])
}

// SessionState is hex(sha256(client_id " " origin " " browser state " " salt)) "." salt.
func SessionState(client, origin, browserState, salt string) string {
	sum := sha256.Sum256([]byte(client + " " + origin + " " + browserState + " " + salt))
	return hex.EncodeToString(sum[:]) + "." + salt
}
