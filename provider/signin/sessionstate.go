package signin

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/web"
)

// sessionState returns a session_state with a new salt (Session Management 1.0 §2), or "" if the redirect URI has no
// origin. The browser state is a random cookie that changes when the user signs in, signs out or changes the account.
func (h *Handler) sessionState(w http.ResponseWriter, r *http.Request, req *interaction) string {
	origin := web.Origin(req.RedirectURI)
	if origin == "" {
		return "" // the redirect URI has a private-use scheme; a native app cannot contain the OP iframe
	}
	salt := keys.Random()[:saltLength]
	return sessionState(req.ClientID, origin, h.Site.BrowserState(w, r), salt)
}

// saltLength is the length of the salt of a session_state, in characters.
const saltLength = 16

// sessionState returns the hash of client, origin, browser state and salt in hex, followed by "." and the salt.
func sessionState(client, origin, browserState, salt string) string {
	hash := sha256.Sum256([]byte(client + " " + origin + " " + browserState + " " + salt))
	return hex.EncodeToString(hash[:]) + "." + salt
}
