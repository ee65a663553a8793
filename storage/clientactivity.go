package storage

import "time"

// ClientActivity says whether a client works: what the operator who connects an app wants to know.
type ClientActivity struct {
	// FirstSignIn is when a user signed in to the client for the first time. Zero: never, or only before the store
	// recorded it.
	FirstSignIn time.Time     `json:"first_sign_in,omitzero"`
	LastRefusal ClientRefusal `json:"last_refusal,omitzero"`
}

// ClientRefusal is a refused request of a client. Its texts are at most about 200 bytes long and have no secrets.
type ClientRefusal struct {
	At        time.Time `json:"at"`
	Reason    string    `json:"reason"`
	Code      string    `json:"code,omitempty"`  // OAuth error code
	Param     string    `json:"param,omitempty"` // the wrong parameter
	Value     string    `json:"value,omitempty"`
	RequestID string    `json:"request,omitempty"`
}

// WithRefusal returns the activity with r as the last refusal. changed is false if r is not later than the refusal
// before.
func (a ClientActivity) WithRefusal(r ClientRefusal) (after ClientActivity, changed bool) {
	r.At = r.At.UTC().Truncate(time.Millisecond)
	if !r.At.After(a.LastRefusal.At) {
		return a, false
	}
	a.LastRefusal = r
	return a, true
}
