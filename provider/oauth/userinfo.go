package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// serveUserInfo returns the user's claims for an access token with scope openid (Core §5.3). The response is JSON or,
// if the client registered for it, a signed JWT.
func (s *Server) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	token, err := bearerToken(w, r)
	if err != nil {
		s.refuseBearer(w, r, err)
		return
	}
	active, err := s.lookupOpenIDToken(r.Context(), token)
	if err != nil {
		s.refuseBearer(w, r, err)
		return
	}
	user, err := s.Store.User(r.Context(), active.grant.Subject)
	if errors.Is(err, storage.ErrNotFound) {
		err = invalidToken()
	}
	if err != nil {
		s.refuseBearer(w, r, err)
		return
	}
	if user.Disabled {
		s.refuseBearer(w, r, invalidToken())
		return
	}
	if acr := s.requiredACR(active, user); acr != "" {
		s.challengeForACR(w, r, acr)
		return
	}
	claims := tokens.UserInfoClaims(&user, active.client, active.token.Scope, active.grant.Claims)
	claims["sub"] = s.Minter.GrantedSubject(active.grant, active.client)
	s.writeUserInfo(w, r, active.client, claims)
}

// lookupOpenIDToken returns an active access token with scope openid.
func (s *Server) lookupOpenIDToken(ctx context.Context, token string) (activeToken, error) {
	active, err := s.lookupToken(ctx, token)
	if errors.Is(err, storage.ErrNotFound) {
		return active, invalidToken()
	}
	if err != nil {
		return active, err
	}
	isForUser := active.token.Grant != ""
	if !isForUser || !slices.Contains(active.token.Scope, "openid") {
		description := "the access token was not issued with scope openid"
		return active, newError(http.StatusForbidden, "insufficient_scope", description)
	}
	return active, nil
}

// requiredACR returns the acr that the token's authentication must have and does not have, or "" if it is strong
// enough.
func (s *Server) requiredACR(active activeToken, user storage.User) string {
	if s.RequiredACR == nil {
		return ""
	}
	return s.RequiredACR(&active.grant, active.client, user)
}

// challengeForACR asks the client for a stronger sign-in of the user (RFC 9470 §3): the operator has raised the
// requirement of the client, a group or the deployment since the token was issued.
func (s *Server) challengeForACR(w http.ResponseWriter, r *http.Request, acr string) {
	e := newError(
		http.StatusUnauthorized,
		"insufficient_user_authentication",
		"a stronger sign-in is needed: request authorization again with this value of acr_values",
	)
	s.logError(r.Context(), "", e)
	w.Header().Set("WWW-Authenticate", s.bearerChallenge(e.Code)+fmt.Sprintf(", acr_values=%q", acr))
	s.writeError(w, e)
}

// writeUserInfo writes the claims as JSON, or as a JWT signed with the client's userinfo_signed_response_alg.
func (s *Server) writeUserInfo(w http.ResponseWriter, r *http.Request, c *storage.Client, claims map[string]any) {
	var contentType string
	var body []byte
	var err error
	if alg := c.UserinfoSignedResponseAlg; alg != "" {
		// Core §5.3.2: a signed response also has iss and aud.
		claims["iss"] = s.Issuer
		claims["aud"] = c.ClientID
		var jwt string
		jwt, err = s.Ring.Sign(alg, "JWT", claims)
		contentType = "application/jwt"
		body = []byte(jwt)
	} else {
		contentType = "application/json"
		body, err = json.Marshal(claims)
	}
	if err != nil {
		s.refuseBearer(w, r, fmt.Errorf("write userinfo: %w", err))
		return
	}
	w.Header().Set("Content-Type", contentType)
	// An error means that the client closed the connection.
	_, _ = w.Write(body)
}

// bearerToken returns the access token of a request, from the Authorization header or from the form (RFC 6750 §2.1,
// §2.2). It refuses a token in the query (RFC 9700 §4.3.2). If the request has no token, the error has no code.
func bearerToken(w http.ResponseWriter, r *http.Request) (string, error) {
	var candidates []string
	for _, header := range r.Header.Values("Authorization") {
		scheme, text, _ := strings.Cut(header, " ")
		if strings.EqualFold(scheme, "Bearer") {
			candidates = append(candidates, strings.TrimSpace(text))
		}
	}
	switch {
	case r.Method == http.MethodGet:
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, POST")
		return "", newError(http.StatusMethodNotAllowed, "invalid_request", "this endpoint takes GET and POST")
	case r.ContentLength != 0:
		form, err := web.Params(r)
		if err != nil && len(candidates) == 0 {
			return "", invalidRequest("the request body is not a form (application/x-www-form-urlencoded) " +
				"of at most 64 kB with each parameter once")
		}
		if token := form.Get("access_token"); err == nil && token != "" {
			candidates = append(candidates, token)
		}
	}
	switch {
	case r.URL.Query().Has("access_token"):
		return "", invalidRequest("the access token goes into the Authorization header, not into the query")
	case len(candidates) > 1:
		return "", invalidRequest("there is more than one access token") // RFC 6750 §2
	case len(candidates) == 0 || candidates[0] == "":
		return "", web.OAuthError{Status: http.StatusUnauthorized, Reason: "the request has no access token"}
	}
	return candidates[0], nil
}

// refuseBearer writes an error response. WWW-Authenticate repeats the error code (RFC 6750 §3). Both omit the code if
// the request has no token.
func (s *Server) refuseBearer(w http.ResponseWriter, r *http.Request, err error) {
	e := errorFrom(err)
	s.logError(r.Context(), "", e)
	if e.Status < http.StatusInternalServerError {
		w.Header().Set("WWW-Authenticate", s.bearerChallenge(e.Code))
	}
	if e.Code == "" {
		w.WriteHeader(e.Status)
		return
	}
	s.writeError(w, e)
}

// bearerChallenge returns the value of WWW-Authenticate. code may be empty.
func (s *Server) bearerChallenge(code string) string {
	challenge := fmt.Sprintf("Bearer realm=%q", s.Issuer)
	if code != "" {
		challenge += fmt.Sprintf(", error=%q", code)
	}
	return challenge
}
