package web

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// ErrHandle: the handle is not one of ours, is for another purpose, belongs to another browser or is past its time.
var ErrHandle = errors.New("this page is out of date or was opened in another browser")

// HandleMax is how long a handle may be: what is larger is refused rather than cut.
const HandleMax = 4096

// ErrHandleSize: what the handle would have to carry is too large.
var ErrHandleSize = errors.New("the request is too large")

// sealed is what stands in a handle.
type sealed struct {
	Browser string          `json:"b"`
	At      int64           `json:"a"` // milliseconds
	Until   int64           `json:"u"`
	Value   json.RawMessage `json:"v"`
}

// Handle seals v for this browser and purpose, for life. It sets the browser's flow cookie where there is none.
func (s *Site) Handle(w http.ResponseWriter, r *http.Request, purpose string, v any, life time.Duration) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode handle: %w", err)
	}
	now := s.Now()
	raw, err = json.Marshal(sealed{Browser: mark(s.browser(w, r)), At: now.UnixMilli(), Until: now.Add(life).UnixMilli(), Value: raw})
	if err != nil {
		return "", fmt.Errorf("encode handle: %w", err)
	}
	text, err := s.Sealer.Seal("handle-"+purpose, raw)
	if errors.Is(err, keys.ErrTooLarge) || len(text) > HandleMax {
		return "", ErrHandleSize
	}
	if err != nil {
		return "", fmt.Errorf("seal handle: %w", err)
	}
	return text, nil
}

// OpenHandle opens what Handle sealed and says when that was. ErrHandle.
func (s *Site) OpenHandle(r *http.Request, purpose, text string, v any) (sealedAt time.Time, err error) {
	if len(text) > HandleMax {
		return time.Time{}, ErrHandle
	}
	raw, err := s.Sealer.Open("handle-"+purpose, text)
	if err != nil {
		return time.Time{}, ErrHandle
	}
	var in sealed
	if json.Unmarshal(raw, &in) != nil {
		return time.Time{}, ErrHandle
	}
	if subtle.ConstantTimeCompare([]byte(in.Browser), []byte(mark(s.cookie(r, cookieFlow)))) != 1 || s.Now().UnixMilli() >= in.Until {
		return time.Time{}, ErrHandle
	}
	if json.Unmarshal(in.Value, v) != nil {
		return time.Time{}, ErrHandle
	}
	return time.UnixMilli(in.At), nil
}

func mark(browser string) string { return storage.HashOf("browser " + browser).String()[:22] }
