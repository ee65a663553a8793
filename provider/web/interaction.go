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

// ErrInteraction says that an interaction was not sealed by this provider, is for another purpose, belongs to another
// browser or has expired.
var ErrInteraction = errors.New("this page is out of date or was opened in another browser")

// MaxInteractionSize is the maximum length of a sealed interaction, in bytes. URLs contain interactions, so proxies
// must accept URLs of this length.
const MaxInteractionSize = 20 << 10

// ErrInteractionSize says that an interaction would be longer than MaxInteractionSize.
var ErrInteractionSize = errors.New("the request is too large")

// sealedInteraction is the content of a sealed interaction.
type sealedInteraction struct {
	BrowserHash string          `json:"b"`
	SealedAt    int64           `json:"a"` // Unix milliseconds
	ExpiresAt   int64           `json:"u"` // Unix milliseconds
	Value       json.RawMessage `json:"v"`
}

// SealInteraction seals v for this browser and purpose. The result can be opened until lifetime has passed. If the
// browser has no flow cookie, SealInteraction sets one.
func (s *Site) SealInteraction(
	w http.ResponseWriter,
	r *http.Request,
	purpose string,
	v any,
	lifetime time.Duration,
) (string, error) {
	return s.sealInteraction(browserHash(s.browserID(w, r)), purpose, v, lifetime)
}

// SealForAnyBrowser seals v for this purpose, but for no browser: every browser can open it. It is for a form that
// another site submits: such a request comes without the flow cookie, and the browser may have one. v must not be worth
// more than the form itself, which the other site can submit in every browser.
func (s *Site) SealForAnyBrowser(purpose string, v any, lifetime time.Duration) (string, error) {
	return s.sealInteraction("", purpose, v, lifetime)
}

// sealInteraction seals v for the browser with that hash; "" stands for every browser.
func (s *Site) sealInteraction(browser, purpose string, v any, lifetime time.Duration) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode interaction: %w", err)
	}
	now := s.Now()
	raw, err = json.Marshal(sealedInteraction{
		BrowserHash: browser,
		SealedAt:    now.UnixMilli(),
		ExpiresAt:   now.Add(lifetime).UnixMilli(),
		Value:       raw,
	})
	if err != nil {
		return "", fmt.Errorf("encode interaction: %w", err)
	}
	text, err := s.Sealer.Seal(sealerKind(purpose), raw)
	if errors.Is(err, keys.ErrTooLarge) || len(text) > MaxInteractionSize {
		return "", ErrInteractionSize
	}
	if err != nil {
		return "", fmt.Errorf("seal interaction: %w", err)
	}
	return text, nil
}

// OpenInteraction opens a sealed interaction into v and returns the time at which it was sealed. It returns
// ErrInteraction if the interaction is not valid for this browser and purpose.
func (s *Site) OpenInteraction(r *http.Request, purpose, text string, v any) (sealedAt time.Time, err error) {
	return s.openInteraction(browserHash(s.cookie(r, cookieBrowser)), purpose, text, v)
}

// OpenForAnyBrowser opens what SealForAnyBrowser has sealed into v. It returns ErrInteraction for any other text.
func (s *Site) OpenForAnyBrowser(purpose, text string, v any) error {
	_, err := s.openInteraction("", purpose, text, v)
	return err
}

// openInteraction opens an interaction that was sealed for the browser with that hash.
func (s *Site) openInteraction(browser, purpose, text string, v any) (sealedAt time.Time, err error) {
	if len(text) > MaxInteractionSize {
		return time.Time{}, ErrInteraction
	}
	raw, err := s.Sealer.Open(sealerKind(purpose), text)
	if err != nil {
		return time.Time{}, ErrInteraction
	}
	var sealed sealedInteraction
	if json.Unmarshal(raw, &sealed) != nil {
		return time.Time{}, ErrInteraction
	}
	sameBrowser := subtle.ConstantTimeCompare([]byte(sealed.BrowserHash), []byte(browser)) == 1
	if !sameBrowser || s.Now().UnixMilli() >= sealed.ExpiresAt {
		return time.Time{}, ErrInteraction
	}
	if json.Unmarshal(sealed.Value, v) != nil {
		return time.Time{}, ErrInteraction
	}
	return time.UnixMilli(sealed.SealedAt), nil
}

// sealerKind returns the Sealer's kind of interactions with this purpose.
func sealerKind(purpose string) string { return "interaction-" + purpose }

// browserHash returns the hash of a browser ID. Interactions contain only the hash, because they stand in URLs.
func browserHash(id string) string { return storage.HashOf("browser " + id).String()[:22] }
