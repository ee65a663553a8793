package register

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// maxBody is the maximum size of a registration, in bytes. The stored metadata must be smaller. A body may also contain
// unknown members, which Curfew does not store.
const maxBody = 32 << 10

// Errors of these endpoints: RFC 6750 §3.1 for tokens, RFC 7591 §3.2.2 for the rest.
var (
	errNoToken = web.OAuthError{ // RFC 6750 §3.1: no error code if the request has no token
		Status: http.StatusUnauthorized,
		Reason: "the request has no access token",
	}
	errInvalidToken = web.OAuthError{
		Status:      http.StatusUnauthorized,
		Code:        "invalid_token",
		Description: "the token is unknown, expired or used up",
	}
	errDisabled = web.OAuthError{
		Status:      http.StatusForbidden,
		Code:        "access_denied",
		Description: "this client is disabled; ask the operator",
	}
	errClientLimit = web.OAuthError{
		Status:      http.StatusServiceUnavailable,
		Code:        "temporarily_unavailable",
		Description: "there is no more room for clients that register themselves; ask the operator",
	}
	errDailyLimit = web.OAuthError{
		Status: http.StatusTooManyRequests,
		Code:   "temporarily_unavailable",
		Description: "too many clients were registered or changed openly today; " +
			"try again tomorrow or ask the operator",
	}
	errNetworkLimit = web.OAuthError{
		Status: http.StatusTooManyRequests,
		Code:   "temporarily_unavailable",
		Description: "too many clients were registered or changed from your network today; " +
			"try again tomorrow or ask the operator",
	}
	errBodySize = web.OAuthError{
		Status:      http.StatusRequestEntityTooLarge,
		Code:        InvalidMetadata,
		Description: "the body has more than 32 kB",
	}
	errBodyType = web.OAuthError{
		Status:      http.StatusUnsupportedMediaType,
		Code:        InvalidMetadata,
		Description: "the body is not of the type application/json",
	}
)

// readBody reads a JSON body of at most maxBody bytes.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return nil, errBodyType
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, errBodySize
	}
	return body, err
}

// clientInformation is a client information response (RFC 7591 §3.2.1, RFC 7592 §3) with all registered metadata.
type clientInformation struct {
	storage.Metadata
	Secret            string `json:"client_secret,omitempty"`
	SecretExpiresAt   *int64 `json:"client_secret_expires_at,omitempty"` // required together with a secret; 0: never
	IssuedAt          int64  `json:"client_id_issued_at"`
	RegistrationToken string `json:"registration_access_token"`
	ManagementURI     string `json:"registration_client_uri"`
}

// writeClient writes a client information response. secret is "" unless it is new, because only its hash is stored.
// token is the client's registration access token.
func (h *Handler) writeClient(
	w http.ResponseWriter,
	r *http.Request,
	status int,
	c *storage.Client,
	secret, token string,
) {
	info := clientInformation{
		Metadata:          c.Metadata,
		Secret:            secret,
		IssuedAt:          c.Created.Unix(),
		RegistrationToken: token,
		ManagementURI:     h.Issuer + Path + "/" + url.PathEscape(c.ClientID),
	}
	if secret != "" {
		info.SecretExpiresAt = new(int64) // 0: the secret does not expire
	}
	h.writeJSON(w, r, status, info)
}

// writeError logs the error and writes an error response (RFC 7591 §3.2.2).
func (h *Handler) writeError(w http.ResponseWriter, r *http.Request, err error) {
	e := errorFrom(err)
	if e.Subject.Client == "" {
		e.Subject.Client = r.PathValue("client")
	}
	e.Log(r.Context(), h.log())
	if e.Status == http.StatusUnauthorized {
		challenge := `Bearer realm="registration"`
		if e.Code != "" {
			challenge += `, error="` + e.Code + `"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if e.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", web.RetryAfter(web.BusyRetryAfter))
	}
	h.writeJSON(w, r, e.Status, struct {
		Code string `json:"error,omitempty"`
		Text string `json:"error_description,omitempty"`
	}{e.Code, toASCII(e.Description)})
}

// errorFrom returns the response to an error of the store or of this package.
func errorFrom(err error) web.OAuthError {
	var problems Problems
	if !errors.As(err, &problems) {
		return web.RegistrationErrorFrom(err)
	}
	e := web.OAuthError{Status: http.StatusBadRequest, Code: problems.Code(), Description: problems.Error()}
	for _, problem := range problems {
		if problem.Cause != nil {
			e.Err = problem.Cause // for the log only
		}
	}
	return e.About(problems[0].Field)
}

// writeJSON writes a JSON response.
func (h *Handler) writeJSON(w http.ResponseWriter, r *http.Request, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		h.log().ErrorContext(r.Context(), "answer not encoded", "err", err)
		status = http.StatusInternalServerError
		body = []byte(`{"error":"server_error"}`)
	}
	setNoStore(w)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body) // an error means that the client closed the connection
}

// setNoStore keeps the response out of caches.
func setNoStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store") // RFC 7591 §3.2.1
	w.Header().Set("Pragma", "no-cache")
}

// toASCII replaces the characters that error_description must not contain (RFC 7591 §3.2.2).
func toASCII(text string) string {
	text = strings.ReplaceAll(text, "§", "section ")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
}
