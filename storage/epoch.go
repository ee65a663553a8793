package storage

import (
	"context"
	"time"
)

// Epochs begins epochs. An epoch begins when a store that lost its latest transactions goes on: one that was restored
// from a backup, or a database after a point-in-time recovery. The store does not know what was issued, used or ended
// in the transactions that it lost.
type Epochs interface {
	// BeginEpoch begins an epoch and adds the audit lines. From then on the store refuses
	//
	//   - codes, sign-ins under way and client_credentials tokens that were issued earlier (Sequence.NextEpoch),
	//   - ids for the replay cache that were issued at that time or earlier (SweepHistory.BeginEpoch),
	//   - all one-time links, initial access tokens and consents, which it removes,
	//   - recovery codes, remembered browsers and used time steps of all users (Factors.BeginEpoch).
	//
	// The caller ends the sessions and grants. BeginEpoch may write several transactions; after an error or a crash the
	// caller calls it again.
	BeginEpoch(ctx context.Context, at time.Time, e ...Event) error
}

// sequencesPerMilli is more than the number of transactions that raise a sequence in a millisecond.
const sequencesPerMilli = 1 << 10

// NextEpoch returns the first sequence of an epoch that begins at that time. It is higher than all sequences that the
// store had before, including those of transactions that it lost.
func (s Sequence) NextEpoch(at time.Time) Sequence {
	return max(s+1, Sequence(max(at.UnixMilli(), 0))*sequencesPerMilli)
}

// farFuture is later than the expiry of every id.
var farFuture = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// BeginEpoch records that all uses from before an epoch may be missing. The epoch began at that time with the sequence
// first.
func (h SweepHistory) BeginEpoch(at time.Time, first Sequence) SweepHistory {
	h.Cutoff = first
	h.ClientCutoff = first
	h.BeforeSetback = farFuture
	h.SetbackAt = at
	return h
}

// totpPeriod is the length of a time step of an authenticator app, in seconds (RFC 6238 §5.2).
const totpPeriod = 30

// BeginEpoch removes what may have been used or revoked in transactions that the store lost. The codes of time steps up
// to the next one count as used: apps may be a step ahead.
func (f *Factors) BeginEpoch(at time.Time) {
	f.Browsers = nil
	f.RecoveryCodes = nil
	f.RecoveryCreated = time.Time{}
	if f.TOTP != nil {
		totp := *f.TOTP
		totp.LastStep = max(totp.LastStep, at.Unix()/totpPeriod+1)
		f.TOTP = &totp
	}
}
