package rp

import (
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// serveLogout is RP-Initiated Logout 1.0 §2: the app ends its own session and sends the browser to the provider.
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

// serveBackChannelLogout is Back-Channel Logout 1.0 §2.5 and §2.6, behaving as the page says.
func (a *App) serveBackChannelLogout(w http.ResponseWriter, r *http.Request) {
	switch a.Behaviour() {
	case Slow:
		select {
		case <-time.After(8 * time.Second):
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

// serveFrontChannelLogout is Front-Channel Logout 1.0 §2: iss and sid name the session; the cookie, which browsers
// keep from frames, is not needed.
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

// endSessions ends the sessions that match and notes the channel that asked for it.
func (a *App) endSessions(t LogoutMessage, match func(*session) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t.At = a.config.Now()
	for _, s := range a.sessions {
		if match(s) && (s.EndedBy == nil || s.EndedBy.Channel == "here") {
			if s.EndedBy == nil {
				t.SessionsEnded++
			}
			ended := t
			s.EndedBy = &ended
		}
	}
	for sid, old := range a.endedBySID {
		if t.At.Sub(old.At) > time.Minute {
			delete(a.endedBySID, sid)
		}
	}
	if sid, ok := t.Claims["sid"].(string); ok {
		a.endedBySID[sid] = t
	}
	a.messages = append(a.messages, t)
}

func (a *App) recordMessage(t LogoutMessage) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t.At = a.config.Now()
	a.messages = append(a.messages, t)
}

// Messages is every logout message so far.
func (a *App) Messages() []LogoutMessage {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]LogoutMessage(nil), a.messages...)
}

// Behaviour returns how the app answers a logout token now.
func (a *App) Behaviour() Behaviour {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current
}

// SetBehaviour changes it.
func (a *App) SetBehaviour(b Behaviour) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = b
}

// serveBehaviour is what the page's switch sends.
func (a *App) serveBehaviour(w http.ResponseWriter, r *http.Request) {
	b := Behaviour(r.PostFormValue("behaviour"))
	if !a.config.Switchable || b != Normal && b != Slow && b != Refusing && b != Broken {
		http.Error(w, "no such behaviour", http.StatusBadRequest)
		return
	}
	a.SetBehaviour(b)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
