package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// guard checks a request before the library handles it: a POST of bounded size, with each parameter once and readable
// credentials. It logs refused requests.
func (s *Server) guard(path string, library http.Handler) http.Handler {
	return s.recoverPanics(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		noStore(w)
		challenge := ""
		if r.Header.Get("Authorization") != "" {
			challenge = s.basicChallenge()
		}
		w = &challengeWriter{ResponseWriter: w, challenge: challenge}
		outcome := requestOutcome{}
		form, err := readForm(w, r)
		creds, credentialsErr := readCredentials(r.Header, form)
		outcome.client = claimedClient(creds)
		if err == nil {
			err = validateForm(path, form, creds, credentialsErr)
		}
		if err != nil {
			s.logError(r.Context(), outcome.client, err)
			s.writeError(w, err)
			return
		}
		libraryRequest := r.WithContext(context.WithValue(r.Context(), requestOutcomeKey{}, &outcome))
		libraryRequest.Form = form
		libraryRequest.PostForm = form
		libraryRequest.URL = &url.URL{Path: path}
		libraryRequest.Header = libraryHeader(r.Header)
		library.ServeHTTP(w, libraryRequest)
		if outcome.err != nil {
			s.logError(r.Context(), outcome.client, outcome.err)
		}
	}))
}

// readForm reads the parameters from the body. It refuses parameters in the URL, because URLs are logged. If a
// parameter is repeated, it returns the parameters with the error.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, newError(http.StatusMethodNotAllowed, "invalid_request", "this endpoint takes POST only")
	}
	if r.URL.RawQuery != "" {
		return nil, invalidRequest("parameters go into the body, not into the query")
	}
	if r.ContentLength > web.MaxFormSize {
		return nil, newError(
			http.StatusRequestEntityTooLarge,
			"invalid_request",
			"the request body is larger than 64 kB",
		)
	}
	form, err := web.Params(r, "resource")
	repeated, isRepeated := errors.AsType[web.RepeatedParamError](err)
	switch {
	case isRepeated:
		return form, invalidRequest(repeated.Error()).About(repeated.Name) // RFC 6749 §3.2
	case err != nil:
		return nil, invalidRequest(
			"the request body is not a form (application/x-www-form-urlencoded) of at most 64 kB",
		)
	}
	return form, nil
}

// claimedClient returns the client_id that a request claims, for the log. It proves nothing.
func claimedClient(creds credentials) string {
	if creds.assertion == "" {
		return creds.clientID
	}
	client, _ := unverifiedSubject(creds.assertion)
	return client
}

// validateForm refuses requests that the library would answer with a wrong status, or with a text from the request.
// credentialsErr is the error of reading creds from the request.
func validateForm(path string, form url.Values, creds credentials, credentialsErr error) error {
	if path == tokenPath {
		if err := checkGrantType(form.Get("grant_type")); err != nil {
			return err
		}
	}
	if credentialsErr != nil {
		return credentialsErr
	}
	if path == introspectPath && creds.kind == credentialNone {
		return invalidClient("introspection needs client authentication") // RFC 7662 §2.1
	}
	for _, name := range requiredParams(path, form.Get("grant_type")) {
		if form.Get(name) == "" {
			return invalidRequest(name + " is missing").About(name)
		}
	}
	return nil
}

// checkGrantType returns an error if the token endpoint does not support the grant type.
func checkGrantType(grantType string) error {
	if grantType == "" {
		return invalidRequest("grant_type is missing").About("grant_type")
	}
	if !slices.Contains(storage.TokenEndpointGrantTypes(), grantType) {
		return newError(
			http.StatusBadRequest,
			"unsupported_grant_type",
			"grant_type must be one of authorization_code, refresh_token, client_credentials",
		).About("grant_type")
	}
	return nil
}

// requiredParams returns the parameters that a request to this path must have.
func requiredParams(path, grantType string) []string {
	switch {
	case path != tokenPath:
		return []string{"token"}
	case grantType == "authorization_code":
		return []string{"code", "redirect_uri"}
	case grantType == "refresh_token":
		return []string{"refresh_token"}
	}
	return nil
}

// noStore keeps a response with tokens, or with information about them, out of caches (RFC 6749 §5.1).
func noStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
}

// recoverPanics responds to a panic with a server error. net/http would close the connection without a response.
func (s *Server) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler { // net/http expects this panic
					panic(v)
				}
				s.logger().ErrorContext(r.Context(), "panic in a handler", "panic", v, "stack", string(debug.Stack()))
				s.writeError(w, newError(http.StatusInternalServerError, "server_error", ""))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// libraryHeader returns the headers for the library. It form-encodes a client_secret_basic secret that the library
// could not form-decode.
func libraryHeader(h http.Header) http.Header {
	basic, ok := parseBasicAuth(h.Values("Authorization"))
	if !ok {
		return h
	}
	if _, err := url.QueryUnescape(basic.rawSecret); err == nil {
		return h
	}
	h = h.Clone()
	h.Set("Authorization", basicHeader(basic))
	return h
}

// basicChallenge returns the WWW-Authenticate header of a 401 for a client that used the Authorization header (RFC 6749
// §5.2). The response to other clients has no such header, because some libraries would show it instead of the error.
func (s *Server) basicChallenge() string { return fmt.Sprintf("Basic realm=%q", s.Issuer) }

// challengeWriter adds headers that the library does not set: WWW-Authenticate to a 401, if challenge is not empty, and
// Retry-After to a 503.
type challengeWriter struct {
	http.ResponseWriter
	challenge string
}

// WriteHeader adds the headers for this status.
func (c *challengeWriter) WriteHeader(status int) {
	switch status {
	case http.StatusUnauthorized:
		if c.challenge != "" {
			c.Header().Set("WWW-Authenticate", c.challenge)
		}
	case http.StatusServiceUnavailable:
		c.Header().Set("Retry-After", web.RetryAfter(web.BusyRetryAfter))
	}
	c.ResponseWriter.WriteHeader(status)
}

// CORS allows scripts of every origin to call an endpoint, but never with cookies (Fetch standard). RFC 9700 §2.6
// forbids CORS only for the authorization endpoint. CORS answers preflight requests itself.
func CORS(next http.Handler, methods ...string) http.Handler {
	allowedMethods := strings.Join(methods, ", ")
	isPublicDocument := !slices.Contains(methods, http.MethodPost) // its responses have no challenge or Retry-After
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", allowedMethods)
			h.Set("Access-Control-Allow-Headers", allowedHeaders(r.Header.Get("Access-Control-Request-Headers")))
			h.Add("Vary", "Access-Control-Request-Headers")
			h.Set("Access-Control-Max-Age", "7200")
			h.Set("Allow", allowedMethods+", OPTIONS")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if !isPublicDocument {
			h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
		}
		next.ServeHTTP(w, r)
	})
}

// allowedHeaders returns the headers that a script may send: those that Curfew reads and those that the preflight
// requests, as tracing libraries do. That is safe, because CORS requests carry no cookies and other headers are
// ignored.
func allowedHeaders(requested string) string {
	const readHeaders = "Authorization, Content-Type"
	const maxRequestedBytes = 1000
	const headerCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_, "
	isOther := func(r rune) bool { return !strings.ContainsRune(headerCharacters, r) }
	if requested == "" || len(requested) > maxRequestedBytes || strings.ContainsFunc(requested, isOther) {
		return readHeaders
	}
	return readHeaders + ", " + requested
}
