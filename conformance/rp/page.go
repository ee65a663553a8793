package rp

import (
	"encoding/json"
	"net/http"
	"time"
)

// state is the state that the home page shows.
type state struct {
	SignedIn  bool            `json:"signedIn"`
	Name      string          `json:"name,omitempty"`
	Subject   string          `json:"sub,omitempty"`
	SID       string          `json:"sid,omitempty"`
	Since     time.Time       `json:"since,omitzero"`
	Ended     *LogoutMessage  `json:"ended,omitempty"`
	Behaviour Behaviour       `json:"behaviour"`
	Messages  []LogoutMessage `json:"messages,omitempty"` // the latest logout messages, about all users
}

// messagesShown is the number of logout messages on the page.
const messagesShown = 6

func (a *App) pageState(browser string) state {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := state{Behaviour: a.current}
	if s := a.sessions[browser]; s != nil {
		st.SignedIn = s.EndedBy == nil
		st.Name = s.Name
		st.Subject = s.Subject
		st.SID = s.SID
		st.Since = s.Since
		st.Ended = s.EndedBy
	}
	for _, message := range a.messages[max(0, len(a.messages)-messagesShown):] {
		message.Claims = nil // they may be about another user
		st.Messages = append(st.Messages, message)
	}
	return st
}

// serveState answers the page's script, which calls it twice a second so that the page shows the end of its session.
func (a *App) serveState(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, a.pageState(a.browserID(w, r)))
}

func (a *App) serveHome(w http.ResponseWriter, r *http.Request) {
	st := a.pageState(a.browserID(w, r))
	claims := ""
	if st.Ended != nil {
		if raw, err := json.MarshalIndent(st.Ended.Claims, "", "  "); err == nil && st.Ended.Claims != nil {
			claims = string(raw)
		}
	}
	channels := "no logout channel"
	switch {
	case a.config.BackChannel && a.config.FrontChannel:
		channels = "back-channel and front-channel logout"
	case a.config.BackChannel:
		channels = "back-channel logout"
	case a.config.FrontChannel:
		channels = "front-channel logout"
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
	err := pageTemplate.Execute(
		w,
		map[string]any{
			"Config":     a.config,
			"State":      st,
			"Claims":     claims,
			"Channels":   channels,
			"Error":      r.URL.Query().Get("error"),
			"Behaviours": []Behaviour{Normal, Slow, Refusing, Broken},
		},
	)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
