package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
)

// SessionStore has the methods of the store that the routes of sessions call.
type SessionStore interface {
	Session(ctx context.Context, id storage.SessionID, at time.Time) (storage.Session, error)
	ListSessions(
		ctx context.Context,
		sel storage.Selector,
		at time.Time,
		p storage.Page,
	) ([]storage.Session, string, error)
	ListGrants(ctx context.Context, subject, client string, offlineOnly bool, at time.Time) ([]storage.Grant, error)
}

// Session is an active session in the API. It does not contain the sids of its client sessions: with the sid alone,
// anyone can end the client session at a client with front-channel logout.
type Session struct {
	ID             string           `json:"id"`
	Hash           string           `json:"session"` // the name of the session in audit trail, reports and log
	Subject        string           `json:"sub"`
	User           string           `json:"user"` // login name
	AuthTime       time.Time        `json:"auth_time"`
	AMR            []string         `json:"amr,omitempty"`
	ACR            string           `json:"acr,omitempty"`
	Created        time.Time        `json:"created"`
	LastActive     time.Time        `json:"last_active"`
	IdleExpires    time.Time        `json:"idle_expires"` // when it expires unless the user returns before
	Expires        time.Time        `json:"expires"`      // when it expires in any case
	RememberMe     bool             `json:"remember_me,omitempty"`
	UserAgent      string           `json:"user_agent,omitempty"`
	Address        string           `json:"address,omitempty"`
	ClientSessions []ClientSession  `json:"client_sessions"`
	Horizon        *logout.Estimate `json:"horizon,omitempty"` // if the session ended now; not in listings
}

// ClientSession is one client's part of a session.
type ClientSession struct {
	Client   string    `json:"client"`
	Name     string    `json:"name,omitempty"`
	Joined   time.Time `json:"joined"`
	LastUsed time.Time `json:"last_used"`
}

// SessionList is a page of active sessions.
type SessionList struct {
	Sessions []Session `json:"sessions"`
	Next     string    `json:"next,omitempty"`
}

func (a *api) toSession(ctx context.Context, s storage.Session) (Session, error) {
	view := Session{
		ID:             string(s.ID),
		Hash:           storage.SessionHash(s.ID),
		Subject:        s.Subject,
		AuthTime:       s.AuthTime,
		AMR:            s.AMR,
		ACR:            s.ACR,
		Created:        s.Created,
		LastActive:     s.LastActive,
		IdleExpires:    s.Deadline(),
		Expires:        s.Expires,
		RememberMe:     s.RememberMe,
		UserAgent:      s.UserAgent,
		Address:        s.Address,
		ClientSessions: make([]ClientSession, 0, len(s.ClientSessions)),
	}
	u, err := a.Store.User(ctx, s.Subject)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return view, err
	}
	view.User = u.Name
	for _, clientSession := range s.ClientSessions {
		clientView := ClientSession{
			Client:   clientSession.Client,
			Joined:   clientSession.Joined,
			LastUsed: clientSession.LastUsed,
		}
		if c, err := a.Store.Client(ctx, clientSession.Client); err == nil {
			clientView.Name = c.ClientName
		}
		view.ClientSessions = append(view.ClientSessions, clientView)
	}
	return view, nil
}

func (a *api) listSessions(w http.ResponseWriter, r *http.Request) error {
	values, page, err := parsePage(r, "user", "client")
	if err != nil {
		return err
	}
	ctx := r.Context()
	selector := storage.Selector{Client: values.Get("client")}
	if selector.Client != "" {
		if _, err := a.findClient(ctx, selector.Client); err != nil {
			return err
		}
	}
	if name := values.Get("user"); name != "" {
		u, err := a.findUser(ctx, name)
		if err != nil {
			return err
		}
		selector.Subject = u.Subject
	} else {
		selector.AllUsers = true
	}
	sessions, next, err := a.Store.ListSessions(ctx, selector, a.Now(), page)
	if err != nil {
		return err
	}
	list := SessionList{Sessions: make([]Session, 0, len(sessions)), Next: next}
	for _, s := range sessions {
		view, err := a.toSession(ctx, s)
		if err != nil {
			return err
		}
		list.Sessions = append(list.Sessions, view)
	}
	return writeJSON(w, http.StatusOK, list)
}

// showSession answers with the session and its trust horizon if it ended now.
func (a *api) showSession(w http.ResponseWriter, r *http.Request) error {
	values, err := parseQuery(r, "include_offline")
	if err != nil {
		return err
	}
	includeOffline, err := parseBool(values, "include_offline")
	if err != nil {
		return err
	}
	ctx := r.Context()
	now := a.Now()
	s, err := a.Store.Session(ctx, storage.SessionID(r.PathValue("session")), now)
	if err != nil {
		return explainNotFound(err, "session", r.PathValue("session"))
	}
	view, err := a.toSession(ctx, s)
	if err != nil {
		return err
	}
	const allClients, offlineOnly = "", false
	grants, err := a.Store.ListGrants(ctx, s.Subject, allClients, offlineOnly, now)
	if err != nil {
		return err
	}
	clients := map[string]*storage.Client{}
	for _, id := range clientIDs(s, grants) {
		c, err := a.Store.Client(ctx, id)
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		clients[id] = c
	}
	options := logout.PreviewOptions{IncludeOffline: includeOffline, Lifetimes: a.Lifetimes}
	horizon := logout.PreviewHorizon(s, clients, grants, now, options)
	view.Horizon = &horizon
	return writeJSON(w, http.StatusOK, view)
}

// clientIDs returns the clients of the session and of the grants.
func clientIDs(s storage.Session, grants []storage.Grant) []string {
	var ids []string
	for _, clientSession := range s.ClientSessions {
		ids = append(ids, clientSession.Client)
	}
	for _, g := range grants {
		ids = append(ids, g.Client)
	}
	return ids
}
