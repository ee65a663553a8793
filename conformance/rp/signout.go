package rp

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// serveLogout ends the app's own session and redirects the browser to the provider (RP-Initiated Logout 1.0 §2).
func (a *App) serveLogout(w http.ResponseWriter, r *http.Request) {
	if _, _, err := a.discover(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	var meta struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := a.provider.Claims(&meta); err != nil || meta.EndSession == "" {
		http.Error(w, "the provider has no end_session_endpoint", http.StatusBadGateway)
		return
	}
	browser := a.browserID(w, r)
	a.mu.Lock()
	q := url.Values{
		"client_id":                {a.config.ClientID},
		"post_logout_redirect_uri": {a.config.URL + "/"},
		"state":                    {"back"},
	}
	if s := a.sessions[browser]; s != nil && s.EndedBy == nil {
		q.Set("id_token_hint", s.IDToken)
		s.EndedBy = &LogoutMessage{Channel: "here", At: a.config.Now()}
	}
	a.mu.Unlock()
	http.Redirect(w, r, meta.EndSession+"?"+q.Encode(), http.StatusSeeOther)
}

// slowDelay is longer than an OP waits.
const slowDelay = 8 * time.Second

// serveBackChannelLogout handles logout tokens (Back-Channel Logout 1.0 §2.5 and §2.6), with the current Behaviour.
func (a *App) serveBackChannelLogout(w http.ResponseWriter, r *http.Request) {
	switch a.Behaviour() {
	case Slow:
		select {
		case <-time.After(slowDelay):
		case <-r.Context().Done():
			return
		}
	case Refusing:
		a.recordMessage(LogoutMessage{Channel: "backchannel", Answer: http.StatusBadRequest})
		writeJSON(
			w,
			http.StatusBadRequest,
			map[string]string{"error": "invalid_request", "error_description": "switched to refusing"},
		)
		return
	case Broken:
		a.recordMessage(LogoutMessage{Channel: "backchannel", Answer: http.StatusServiceUnavailable})
		http.Error(w, "switched to broken", http.StatusServiceUnavailable)
		return
	}
	_, verifier, err := a.discover(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	token, err := verifier.VerifyLogout(oidc.ClientContext(r.Context(), a.client), r.PostFormValue("logout_token"))
	if err != nil {
		a.recordMessage(LogoutMessage{Channel: "backchannel", Answer: http.StatusBadRequest})
		writeJSON(
			w,
			http.StatusBadRequest,
			map[string]string{"error": "invalid_request", "error_description": err.Error()},
		)
		return
	}
	message := LogoutMessage{Channel: "backchannel", Answer: http.StatusOK}
	if err := token.Claims(&message.Claims); err != nil {
		message.Claims = nil
	}
	a.endSessions(message, func(s *session) bool {
		if token.SessionID != "" {
			return s.SID == token.SessionID
		}
		return s.Subject == token.Subject
	})
	w.WriteHeader(http.StatusOK)
}

// serveFrontChannelLogout ends the session that iss and sid name (Front-Channel Logout 1.0 §2). It does not need the
// cookie, which browsers often do not send in frames.
func (a *App) serveFrontChannelLogout(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("iss") != a.config.Issuer || q.Get("sid") == "" {
		http.Error(w, "iss and sid are needed", http.StatusBadRequest)
		return
	}
	message := LogoutMessage{
		Channel: "frontchannel",
		Answer:  http.StatusOK,
		Claims:  map[string]any{"iss": q.Get("iss"), "sid": q.Get("sid")},
	}
	a.endSessions(message, func(s *session) bool { return s.SID == q.Get("sid") })
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write([]byte("<!doctype html><title>Signed out</title>"))
}

// pendingSignInMax is how long a sign-in may take at most for a logout message that overtakes it.
const pendingSignInMax = time.Minute

// endSessions ends the sessions that match and records the message that ended them.
func (a *App) endSessions(message LogoutMessage, match func(*session) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	message.At = a.config.Now()
	for _, s := range a.sessions {
		isActive := s.EndedBy == nil
		signedOutHere := !isActive && s.EndedBy.Channel == "here"
		if !match(s) || !isActive && !signedOutHere {
			continue
		}
		if isActive {
			message.SessionsEnded++
		}
		endedBy := message
		s.EndedBy = &endedBy
	}
	for sid, old := range a.endedBySID {
		if message.At.Sub(old.At) > pendingSignInMax {
			delete(a.endedBySID, sid)
		}
	}
	if sid, ok := message.Claims["sid"].(string); ok {
		a.endedBySID[sid] = message
	}
	a.messages = append(a.messages, message)
}

func (a *App) recordMessage(message LogoutMessage) {
	a.mu.Lock()
	defer a.mu.Unlock()
	message.At = a.config.Now()
	a.messages = append(a.messages, message)
}

// Messages returns all logout messages so far.
func (a *App) Messages() []LogoutMessage {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]LogoutMessage(nil), a.messages...)
}

// Behaviour returns the current behaviour.
func (a *App) Behaviour() Behaviour {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current
}

// SetBehaviour changes how the app answers logout tokens.
func (a *App) SetBehaviour(b Behaviour) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = b
}

// serveBehaviour handles the form of the page that changes the behaviour.
func (a *App) serveBehaviour(w http.ResponseWriter, r *http.Request) {
	b := Behaviour(r.PostFormValue("behaviour"))
	isKnown := slices.Contains([]Behaviour{Normal, Slow, Refusing, Broken}, b)
	if !a.config.Switchable || !isKnown {
		http.Error(w, "no such behaviour", http.StatusBadRequest)
		return
	}
	a.SetBehaviour(b)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
