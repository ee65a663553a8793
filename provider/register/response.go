package register

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// maxBody is the largest registration that is read, in bytes; a key set of a few keys takes 4 kB.
const maxBody = 128 << 10

// requestError is an error with the status and code that tell it to the caller.
type requestError struct {
	status int
	code   string
	text   string
}

func (e *requestError) Error() string { return e.code + ": " + e.text }

// RFC 6750 §3.1 for tokens, RFC 7591 §3.2.2 for the rest.
var (
	errNoToken      = &requestError{http.StatusUnauthorized, "", ""} // no word about a token that nobody sent
	errInvalidToken = &requestError{http.StatusUnauthorized, "invalid_token", "the token is unknown, expired or used up"}
	errDisabled     = &requestError{http.StatusForbidden, "access_denied", "this client is disabled; ask the operator"}
	errClientLimit  = &requestError{http.StatusServiceUnavailable, "temporarily_unavailable", "no more clients can be registered openly; ask the operator"}
	errDailyLimit   = &requestError{http.StatusTooManyRequests, "temporarily_unavailable", "too many clients were registered openly today; ask the operator"}
	errBodySize     = &requestError{http.StatusRequestEntityTooLarge, InvalidMetadata, "the body has more than 128 kB"}
	errBodyType     = &requestError{http.StatusUnsupportedMediaType, InvalidMetadata, "the body is not of the type application/json"}
	errChanged      = &requestError{http.StatusConflict, InvalidMetadata, "the registration changed meanwhile; read it and try again"}
	errBusy         = &requestError{http.StatusServiceUnavailable, "temporarily_unavailable", "try again in a few seconds"}
)

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, errBodyType
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, errBodySize
	}
	return body, err
}

// clientInformation is RFC 7591 §3.2.1's and RFC 7592 §3's answer: all metadata as it was registered.
type clientInformation struct {
	storage.Metadata
	Secret            string `json:"client_secret,omitempty"`
	SecretExpiresAt   *int64 `json:"client_secret_expires_at,omitempty"` // required beside a secret; 0: never
	IssuedAt          int64  `json:"client_id_issued_at"`
	RegistrationToken string `json:"registration_access_token"`
	ManagementURI     string `json:"registration_client_uri"`
}

// writeClient shows the client to its owner. Its secret is there only when it is new: just the hash is kept. The token is the
// one the caller sent or got.
func (h *Handler) writeClient(w http.ResponseWriter, r *http.Request, status int, c *storage.Client, secret, token string) {
	info := clientInformation{Metadata: c.Metadata, Secret: secret, IssuedAt: c.Created.Unix(), RegistrationToken: token, ManagementURI: h.Issuer + Path + "/" + url.PathEscape(c.ClientID)}
	if secret != "" {
		info.SecretExpiresAt = new(int64)
	}
	h.writeJSON(w, r, status, info)
}

// writeError answers with the error of RFC 7591 §3.2.2. An unknown one says nothing and is logged, once.
func (h *Handler) writeError(w http.ResponseWriter, r *http.Request, err error) {
	reqErr, ok := errors.AsType[*requestError](err)
	switch problems := (Problems)(nil); {
	case ok:
	case errors.As(err, &problems):
		reqErr = &requestError{http.StatusBadRequest, problems.Code(), problems.Error()}
	case errors.Is(err, storage.ErrChanged), errors.Is(err, storage.ErrExists):
		reqErr = errChanged
	case errors.Is(err, storage.ErrNotFound):
		reqErr = errInvalidToken
	case errors.Is(err, storage.ErrFull), errors.Is(err, storage.ErrUnavailable):
		reqErr = errBusy
		h.log().ErrorContext(r.Context(), "registration failed", "err", err)
	default:
		reqErr = &requestError{status: http.StatusInternalServerError, code: "server_error"}
		h.log().ErrorContext(r.Context(), "registration failed", "err", err)
	}
	if reqErr.status == http.StatusUnauthorized {
		challenge := `Bearer realm="registration"`
		if reqErr.code != "" {
			challenge += `, error="` + reqErr.code + `"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if reqErr.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	h.writeJSON(w, r, reqErr.status, struct {
		Code string `json:"error,omitempty"`
		Text string `json:"error_description,omitempty"`
	}{reqErr.code, toASCII(reqErr.text)})
}

func (h *Handler) writeJSON(w http.ResponseWriter, r *http.Request, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		h.log().ErrorContext(r.Context(), "answer not encoded", "err", err)
		status, body = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	setNoStore(w)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body) // a caller who has gone needs no answer
}

func setNoStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store") // RFC 7591 §3.2.1
	w.Header().Set("Pragma", "no-cache")
}

// toASCII keeps to the characters of error_description (RFC 7591 §3.2.2).
func toASCII(text string) string {
	text = strings.ReplaceAll(text, "§", "section ")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
}
