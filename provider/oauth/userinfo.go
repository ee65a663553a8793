package oauth

import (
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

// serveUserInfo gives a user's claims to the bearer of an access token with scope openid (Core §5.3): as JSON or, if
// the client registered so, as a signed JWT.
func (s *Server) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	token, err := bearerToken(w, r)
	if err != nil {
		s.refuseBearer(w, r, err)
		return
	}
	active, err := s.lookupToken(r.Context(), token)
	if errors.Is(err, storage.ErrNotFound) {
		err = invalidToken()
	}
	if err == nil && (active.token.Grant == "" || !slices.Contains(active.token.Scope, "openid")) {
		err = newError(http.StatusForbidden, "insufficient_scope", "the access token was not issued with scope openid")
	}
	if err != nil {
		s.refuseBearer(w, r, err)
		return
	}
	user, err := s.Store.User(r.Context(), active.grant.Subject)
	if errors.Is(err, storage.ErrNotFound) || err == nil && user.Disabled {
		err = invalidToken()
	}
	if err != nil {
		s.refuseBearer(w, r, err)
		return
	}
	claims := tokens.UserInfoClaims(&user, active.client, active.token.Scope, active.grant.Claims)
	claims["sub"] = s.Minter.SubjectFor(active.grant.Subject, active.client)
	s.writeUserInfo(w, r, active.client, claims)
}

func (s *Server) writeUserInfo(w http.ResponseWriter, r *http.Request, c *storage.Client, claims map[string]any) {
	contentType, body := "application/json", []byte(nil)
	var err error
	if alg := c.UserinfoSignedResponseAlg; alg != "" {
		// Core §5.3.2: signed, it has iss and aud too.
		claims["iss"], claims["aud"] = s.Issuer, c.ClientID
		var jwt string
		jwt, err = s.Ring.Sign(alg, "JWT", claims)
		contentType, body = "application/jwt", []byte(jwt)
	} else {
		body, err = json.Marshal(claims)
	}
	if err != nil {
		s.refuseBearer(w, r, fmt.Errorf("write userinfo: %w", err))
		return
	}
	w.Header().Set("Content-Type", contentType)
	// The client may have disconnected; there is no way left to answer it.
	_, _ = w.Write(body)
}

// bearerToken finds the one access token of a request: in the Authorization header or in a form body (RFC 6750 §2.1,
// §2.2). The query is no place for it (RFC 9700 §4.3.2). An empty text with an error that has no code means that
// there is none.
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
		if token := form.Get("access_token"); err == nil && token != "" {
			candidates = append(candidates, token)
		}
		if err != nil && len(candidates) == 0 {
			return "", invalidRequest(
				"the request body is not a form (application/x-www-form-urlencoded) of at most 64 kB with each parameter once",
			)
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

// refuseBearer answers with the error in WWW-Authenticate too (RFC 6750 §3). A request without a token gets no error
// code.
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

func (s *Server) bearerChallenge(code string) string {
	challenge := fmt.Sprintf("Bearer realm=%q", s.Issuer)
	if code != "" {
		challenge += fmt.Sprintf(", error=%q", code)
	}
	return challenge
}
