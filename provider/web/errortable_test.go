package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// TestUnavailableStoreLeavesTheOutcomeOpen: a write that got no answer in time may still take effect, so the answer
// to a client or user does not say that it failed.
func TestUnavailableStoreLeavesTheOutcomeOpen(t *testing.T) {
	err := fmt.Errorf("redeem code: %w", storage.ErrUnavailable)
	page := PageErrorFrom(err)
	if page.Status != http.StatusServiceUnavailable || page.Text != templates.ErrorOutcomeOpen || page.RetryAfter == 0 {
		t.Errorf("got page %+v", page)
	}
	_, _, admin := AdminErrorFrom(err)
	for name, text := range map[string]string{
		"authorization": AuthorizationErrorFrom(err).Description,
		"token":         TokenErrorFrom(err).Description,
		"registration":  RegistrationErrorFrom(err).Description,
		"admin":         admin,
	} {
		if !strings.Contains(text, "repeating it is safe") {
			t.Errorf("%s: got %q", name, text)
		}
	}
}
