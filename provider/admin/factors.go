package admin

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// FactorStore has the methods of the store that the routes of factors call.
type FactorStore interface {
	Factors(ctx context.Context, subject string) (storage.Factors, error)
}

// The kinds of factors.
const (
	factorPasskey  = "passkey"
	factorTOTP     = "totp"
	factorRecovery = "recovery_codes"
	factorBrowser  = "remembered_browsers"
	factorAll      = "all"
)

// Factor is a factor of a user besides the password. It has no secrets.
type Factor struct {
	ID       string    `json:"id"`   // its name in the path of DELETE: the credential ID of a passkey, else the kind
	Kind     string    `json:"kind"` // passkey, totp, recovery_codes, remembered_browsers
	Name     string    `json:"name,omitempty"`
	Count    int       `json:"count,omitempty"` // of unused recovery codes and remembered browsers
	Synced   bool      `json:"synced,omitempty"`
	Created  time.Time `json:"created,omitzero"`
	LastUsed time.Time `json:"last_used,omitzero"`
}

// FactorList lists the factors of a user.
type FactorList struct {
	Factors []Factor `json:"factors"`
}

func passkeyID(p storage.Passkey) string { return base64.RawURLEncoding.EncodeToString(p.ID) }

func (a *api) listFactors(w http.ResponseWriter, r *http.Request) error {
	u, err := a.findUser(r.Context(), r.PathValue("user"))
	if err != nil {
		return err
	}
	f, err := a.Store.Factors(r.Context(), u.Subject)
	if err != nil {
		return err
	}
	list := FactorList{Factors: []Factor{}}
	for _, p := range f.Passkeys {
		list.Factors = append(list.Factors, Factor{
			ID:       passkeyID(p),
			Kind:     factorPasskey,
			Name:     p.Name,
			Synced:   p.BackedUp,
			Created:  p.Created,
			LastUsed: p.LastUsed,
		})
	}
	if f.TOTP != nil {
		list.Factors = append(list.Factors, Factor{
			ID:       factorTOTP,
			Kind:     factorTOTP,
			Created:  f.TOTP.Created,
			LastUsed: f.TOTP.LastUsed,
		})
	}
	if n := len(f.RecoveryCodes); n > 0 {
		recovery := Factor{ID: factorRecovery, Kind: factorRecovery, Count: n, Created: f.RecoveryCreated}
		list.Factors = append(list.Factors, recovery)
	}
	if n := len(f.Browsers); n > 0 {
		list.Factors = append(list.Factors, Factor{ID: factorBrowser, Kind: factorBrowser, Count: n})
	}
	return writeJSON(w, http.StatusOK, list)
}

// removeFactor removes one factor or all, and ends the user's sessions and offline access: a user who lost a phone may
// have lost a signed-in browser with it.
func (a *api) removeFactor(w http.ResponseWriter, r *http.Request) error {
	u, err := a.findUser(r.Context(), r.PathValue("user"))
	if err != nil {
		return err
	}
	f, err := a.Store.Factors(r.Context(), u.Subject)
	if err != nil {
		return err
	}
	if !removeFrom(&f, r.PathValue("factor")) {
		return explainNotFound(storage.ErrNotFound, "factor", r.PathValue("factor"))
	}
	result, err := a.terminate(
		r.Context(),
		storage.Selector{Subject: u.Subject, IncludeOffline: true},
		storage.ReasonAdmin,
		storage.Change{Factors: &f, RemoveLinks: u.Subject},
		"user.factor_removed",
	)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, result)
}

// removeFrom removes a factor from a user's factors and reports whether there was one.
func removeFrom(f *storage.Factors, id string) (found bool) {
	switch id {
	case factorAll:
		found = true // even if the user has no factor, so that the sessions end
		*f = storage.Factors{Subject: f.Subject, Revision: f.Revision}
	case factorTOTP:
		found = f.TOTP != nil
		f.TOTP = nil
	case factorRecovery:
		found = len(f.RecoveryCodes) > 0
		f.RecoveryCodes = nil
	case factorBrowser:
		found = len(f.Browsers) > 0 // ForgetBrowsers below removes them
	default:
		hasID := func(p storage.Passkey) bool { return passkeyID(p) == id }
		found = slices.ContainsFunc(f.Passkeys, hasID)
		f.Passkeys = slices.DeleteFunc(slices.Clone(f.Passkeys), hasID)
	}
	if !f.HasSecondFactor() {
		f.RecoveryCodes = nil
	}
	f.ForgetBrowsers()
	return found
}
