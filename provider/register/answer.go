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

// refusal is an error with the status and code that tell it to the caller.
type refusal struct {
	status int
	code   string
	text   string
}

func (e *refusal) Error() string { return e.code + ": " + e.text }

// RFC 6750 §3.1 for tokens, RFC 7591 §3.2.2 for the rest.
var (
	errNoToken  = &refusal{http.StatusUnauthorized, "", ""} // no word about a token that nobody sent
	errToken    = &refusal{http.StatusUnauthorized, "invalid_token", "the token is unknown, expired or used up"}
	errDisabled = &refusal{http.StatusForbidden, "access_denied", "this client is disabled; ask the operator"}
	errNoRoom   = &refusal{http.StatusServiceUnavailable, "temporarily_unavailable", "no more clients can be registered openly; ask the operator"}
	errNoMore   = &refusal{http.StatusTooManyRequests, "temporarily_unavailable", "too many clients were registered openly today; ask the operator"}
	errBodySize = &refusal{http.StatusRequestEntityTooLarge, InvalidMetadata, "the body has more than 128 kB"}
	errBodyType = &refusal{http.StatusUnsupportedMediaType, InvalidMetadata, "the body is not of the type application/json"}
	errChanged  = &refusal{http.StatusConflict, InvalidMetadata, "the registration changed meanwhile; read it and try again"}
	errBusy     = &refusal{http.StatusServiceUnavailable, "temporarily_unavailable", "try again in a few seconds"}
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

// information is RFC 7591 §3.2.1's and RFC 7592 §3's answer: all metadata as it was registered.
type information struct {
	storage.Metadata
	Secret        string `json:"client_secret,omitempty"`
	SecretExpires *int64 `json:"client_secret_expires_at,omitempty"` // required beside a secret; 0: never
	Issued        int64  `json:"client_id_issued_at"`
	Token         string `json:"registration_access_token"`
	URI           string `json:"registration_client_uri"`
}

// answer shows the client to its owner. Its secret is there only when it is new: just the hash is kept. The token is the
// one the caller sent or got.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, status int, c *storage.Client, secret, token string) {
	info := information{Metadata: c.Metadata, Secret: secret, Issued: c.Created.Unix(), Token: token, URI: h.Issuer + Path + "/" + url.PathEscape(c.ClientID)}
	if secret != "" {
		info.SecretExpires = new(int64)
	}
	h.write(w, r, status, info)
}

// refuse answers with the error of RFC 7591 §3.2.2. An unknown one says nothing and is logged, once.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	known, ok := errors.AsType[*refusal](err)
	switch problems := (Problems)(nil); {
	case ok:
	case errors.As(err, &problems):
		known = &refusal{http.StatusBadRequest, problems.Code(), problems.Error()}
	case errors.Is(err, storage.ErrChanged), errors.Is(err, storage.ErrExists):
		known = errChanged
	case errors.Is(err, storage.ErrNotFound):
		known = errToken
	case errors.Is(err, storage.ErrFull), errors.Is(err, storage.ErrUnavailable):
		known = errBusy
		h.log().ErrorContext(r.Context(), "registration failed", "err", err)
	default:
		known = &refusal{status: http.StatusInternalServerError, code: "server_error"}
		h.log().ErrorContext(r.Context(), "registration failed", "err", err)
	}
	if known.status == http.StatusUnauthorized {
		challenge := `Bearer realm="registration"`
		if known.code != "" {
			challenge += `, error="` + known.code + `"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if known.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	h.write(w, r, known.status, struct {
		Code string `json:"error,omitempty"`
		Text string `json:"error_description,omitempty"`
	}{known.code, ascii(known.text)})
}

func (h *Handler) write(w http.ResponseWriter, r *http.Request, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		h.log().ErrorContext(r.Context(), "answer not encoded", "err", err)
		status, body = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	noStore(w)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body) // a caller who has gone needs no answer
}

func noStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store") // RFC 7591 §3.2.1
	w.Header().Set("Pragma", "no-cache")
}

// ascii keeps to the characters of error_description (RFC 7591 §3.2.2).
func ascii(text string) string {
	text = strings.ReplaceAll(text, "§", "section ")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
}
