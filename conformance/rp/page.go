package rp

import (
	"encoding/json"
	"net/http"
	"time"
)

// state is what the page shows.
type state struct {
	SignedIn  bool            `json:"signedIn"`
	Name      string          `json:"name,omitempty"`
	Subject   string          `json:"sub,omitempty"`
	SID       string          `json:"sid,omitempty"`
	Since     time.Time       `json:"since,omitzero"`
	Ended     *LogoutMessage  `json:"ended,omitempty"`
	Behaviour Behaviour       `json:"behaviour"`
	Messages  []LogoutMessage `json:"messages,omitempty"` // the last logout messages to this app, about any user
}

// messagesShown is how many logout messages a page lists.
const messagesShown = 6

func (a *App) pageState(browser string) state {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := state{Behaviour: a.current}
	if s := a.sessions[browser]; s != nil {
		st.SignedIn, st.Name, st.Subject, st.SID, st.Since, st.Ended = s.EndedBy == nil, s.Name, s.Subject, s.SID, s.Since, s.EndedBy
	}
	for _, message := range a.messages[max(0, len(a.messages)-messagesShown):] {
		st.Messages = append(
			st.Messages,
			LogoutMessage{
				Channel:       message.Channel,
				At:            message.At,
				Answer:        message.Answer,
				SessionsEnded: message.SessionsEnded,
			},
		)
	}
	return st
}

// serveState is asked by the page's script twice a second, so that the user sees the page lose its session.
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
