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

// ErrInteraction: the handle is not one of ours, is for another purpose, belongs to another browser or is past its
// time.
var ErrInteraction = errors.New("this page is out of date or was opened in another browser")

// MaxInteractionSize is how long a sealed interaction may be. It stands in the path of a URL, which proxies must let
// through.
const MaxInteractionSize = 20 << 10

// ErrInteractionSize: what the handle would have to carry is too large.
var ErrInteractionSize = errors.New("the request is too large")

// sealedInteraction is what stands in a handle.
type sealedInteraction struct {
	BrowserHash string          `json:"b"`
	SealedAt    int64           `json:"a"` // milliseconds
	ExpiresAt   int64           `json:"u"`
	Value       json.RawMessage `json:"v"`
}

// SealInteraction seals v for this browser and purpose, for life. It sets the browser's flow cookie where there is
// none.
func (s *Site) SealInteraction(
	w http.ResponseWriter,
	r *http.Request,
	purpose string,
	v any,
	lifetime time.Duration,
) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode handle: %w", err)
	}
	now := s.Now()
	raw, err = json.Marshal(
		sealedInteraction{
			BrowserHash: browserHash(s.browserID(w, r)),
			SealedAt:    now.UnixMilli(),
			ExpiresAt:   now.Add(lifetime).UnixMilli(),
			Value:       raw,
		},
	)
	if err != nil {
		return "", fmt.Errorf("encode handle: %w", err)
	}
	text, err := s.Sealer.Seal("handle-"+purpose, raw)
	if errors.Is(err, keys.ErrTooLarge) || len(text) > MaxInteractionSize {
		return "", ErrInteractionSize
	}
	if err != nil {
		return "", fmt.Errorf("seal handle: %w", err)
	}
	return text, nil
}

// OpenInteraction opens what Handle sealed and says when that was. ErrHandle.
func (s *Site) OpenInteraction(r *http.Request, purpose, text string, v any) (sealedAt time.Time, err error) {
	if len(text) > MaxInteractionSize {
		return time.Time{}, ErrInteraction
	}
	raw, err := s.Sealer.Open("handle-"+purpose, text)
	if err != nil {
		return time.Time{}, ErrInteraction
	}
	var sealed sealedInteraction
	if json.Unmarshal(raw, &sealed) != nil {
		return time.Time{}, ErrInteraction
	}
	if subtle.ConstantTimeCompare([]byte(sealed.BrowserHash), []byte(browserHash(s.cookie(r, cookieBrowser)))) != 1 ||
		s.Now().UnixMilli() >= sealed.ExpiresAt {
		return time.Time{}, ErrInteraction
	}
	if json.Unmarshal(sealed.Value, v) != nil {
		return time.Time{}, ErrInteraction
	}
	return time.UnixMilli(sealed.SealedAt), nil
}

func browserHash(id string) string { return storage.HashOf("browser " + id).String()[:22] }
