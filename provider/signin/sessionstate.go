package signin

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/web"
)

// sessionState is the session_state of Session Management 1.0 §2, with a fresh salt. The browser state is a random
// cookie that changes on login, logout and change of user.
func (h *Handler) sessionState(w http.ResponseWriter, r *http.Request, req *interaction) string {
	origin := web.Origin(req.RedirectURI)
	if origin == "" {
		return "" // an app with a private-use scheme has no frame
	}
	return sessionState(req.ClientID, origin, h.Site.BrowserState(w, r), keys.Random("")[:16])
}

// sessionState is hex(sha256(client_id " " origin " " browser state " " salt)) "." salt.
func sessionState(client, origin, browserState, salt string) string {
	sum := sha256.Sum256([]byte(client + " " + origin + " " + browserState + " " + salt))
	return hex.EncodeToString(sum[:]) + "." + salt
}
