package rp

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const cookieName = "rp-session"

// browserID returns the value of the browser's cookie. It sets the cookie if there is none.
func (a *App) browserID(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(cookieName); err == nil && c.Value != "" {
		return c.Value
	}
	id := rand.Text()
	http.SetCookie(w, &http.Cookie{
		Name:     cookieName,
		Value:    id,
		Path:     "/",
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
	return id
}

// serveLogin redirects the browser to the provider: code flow with PKCE, state and nonce. It adds the parameters of its
// own URL to the request, so that a user can try out prompt=login and others.
func (a *App) serveLogin(w http.ResponseWriter, r *http.Request) {
	oauth, _, err := a.discover(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	state := rand.Text()
	p := pendingSignIn{
		verifier: oauth2.GenerateVerifier(),
		nonce:    rand.Text(),
		browser:  a.browserID(w, r),
		at:       a.config.Now(),
	}
	a.mu.Lock()
	for s, p := range a.pending {
		if a.config.Now().Sub(p.at) > time.Hour {
			delete(a.pending, s)
		}
	}
	a.pending[state] = p
	a.mu.Unlock()
	options := []oauth2.AuthCodeOption{oidc.Nonce(p.nonce), oauth2.S256ChallengeOption(p.verifier)}
	for name, v := range r.URL.Query() {
		options = append(options, oauth2.SetAuthURLParam(name, v[0]))
	}
	http.Redirect(w, r, oauth.AuthCodeURL(state, options...), http.StatusSeeOther)
}

// serveCallback handles the authorization response: it checks state and iss (RFC 9207), exchanges the code for tokens
// and verifies the ID token with its nonce.
func (a *App) serveCallback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	browser := a.browserID(w, r)
	a.mu.Lock()
	p, ok := a.pending[q.Get("state")]
	delete(a.pending, q.Get("state"))
	a.mu.Unlock()
	switch {
	case !ok || p.browser != browser:
		http.Error(w, "this sign-in was not begun in this browser", http.StatusBadRequest)
		return
	case q.Get("iss") != a.config.Issuer:
		http.Error(w, "the answer comes from another issuer", http.StatusBadRequest)
		return
	case q.Get("error") != "":
		http.Redirect(w, r, "/?error="+url.QueryEscape(q.Get("error")), http.StatusSeeOther)
		return
	}
	oauth, verifier, err := a.discover(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	ctx := oidc.ClientContext(r.Context(), a.client)
	token, err := oauth.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(p.verifier))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := verifier.Verify(ctx, raw)
	if err != nil || id.Nonce != p.nonce {
		http.Error(w, "the ID token does not hold", http.StatusBadGateway)
		return
	}
	var claims struct {
		SID string `json:"sid"`
	}
	if err := id.Claims(&claims); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	s := &session{
		SID:         claims.SID,
		Subject:     id.Subject,
		Name:        cmp.Or(a.userName(ctx, token), id.Subject),
		Since:       a.config.Now(),
		IDToken:     raw,
		AccessToken: token.AccessToken,
	}
	a.mu.Lock()
	if message, ok := a.endedBySID[s.SID]; ok { // the session ended before the tokens arrived
		s.EndedBy = &message
	}
	a.sessions[browser] = s
	a.mu.Unlock()
	http.Redirect(w, r, cmp.Or(a.config.AfterSignIn, "/"), http.StatusSeeOther)
}

// userName returns the user's name from the UserInfo Endpoint, or "" if it has none.
func (a *App) userName(ctx context.Context, token *oauth2.Token) string {
	info, err := a.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return ""
	}
	var profile struct {
		Name     string `json:"name"`
		Username string `json:"preferred_username"`
	}
	if err := info.Claims(&profile); err != nil {
		return ""
	}
	return cmp.Or(profile.Name, profile.Username)
}
