package logout

import (
	"context"
	"crypto/rand"
	"net/url"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// AttemptTimeout bounds one attempt, from connecting to the end of the answer.
const AttemptTimeout = 5 * time.Second

// Poster posts a form to the URI of a delivery. It follows no redirect, sends no cookies, and returns when ctx ends. Its
// error may have a method Class() string that names the kind of failure.
type Poster func(ctx context.Context, d storage.Delivery, form url.Values) (Reply, error)

// attemptOutcome is a delivery after an attempt.
type attemptOutcome struct {
	storage.DeliveryOutcome
	delivery           storage.Delivery
	notSent            bool // the delivery goes back unchanged
	duration           time.Duration
	entryKind          string             // of the report entry
	oldTrust, newTrust storage.TrustState // of the report entry
}

// attempt makes one attempt: it signs afresh, since a token expires during a pause and relying parties remember a jti
// (Back-Channel Logout 1.0 §2.6), posts, and evaluates the answer.
func (d *Dispatcher) attempt(ctx context.Context, delivery storage.Delivery) *attemptOutcome {
	ctx, cancel := context.WithTimeout(ctx, AttemptTimeout)
	defer cancel()
	started := d.Now()
	reply, err := d.send(ctx, d.withCurrentMetadata(ctx, delivery))
	now := d.Now()
	o := &attemptOutcome{DeliveryOutcome: evaluateAttempt(delivery, reply, err, now, d.random()), delivery: delivery}
	update := o.UpdateEntry
	o.UpdateEntry = func(old storage.ReportEntry) storage.ReportEntry {
		updated := update(old)
		o.entryKind, o.oldTrust, o.newTrust = old.Kind, old.Trust, updated.Trust
		return updated
	}
	d.Observer.attempt(delivery.Client, answerClass(o.Answer), now.Sub(started))
	return o
}

// send signs and posts one logout token (Back-Channel Logout 1.0 §2.5).
func (d *Dispatcher) send(ctx context.Context, delivery storage.Delivery) (Reply, error) {
	jti := rand.Text()
	iat := d.Now().UTC().Truncate(time.Second)
	exp := iat.Add(TokenLifetime)
	token, err := d.Sign(ctx, delivery, jti, iat, exp, tokenClaims(d.Issuer, delivery, jti, iat, exp))
	if err != nil {
		d.log().ErrorContext(ctx, "sign logout token", "client", delivery.Client, "err", err)
		return Reply{}, signingError{err}
	}
	reply, err := d.Post(ctx, delivery, url.Values{"logout_token": {token}})
	reply.JTI = jti
	return reply, err
}

// withCurrentMetadata returns the delivery with the client's current URI, algorithm and token format, so that an
// operator who corrects the metadata corrects pending deliveries too. If the client was removed, or removed and added
// anew, the delivery stays as it was planned.
func (d *Dispatcher) withCurrentMetadata(ctx context.Context, delivery storage.Delivery) storage.Delivery {
	c, err := d.Store.Client(ctx, delivery.Client)
	if err != nil || c.BackchannelLogoutURI == "" || c.Created.After(delivery.Created) {
		return delivery
	}
	delivery.URI, delivery.Alg, delivery.Typ, delivery.Claims = c.BackchannelLogoutURI, c.IDTokenSignedResponseAlg, c.LogoutTokenTyp, c.LogoutTokenClaims
	return delivery
}

// signingError is a failure to sign. Reports show only that it happened; the log has the cause.
type signingError struct{ error }

func (signingError) Class() string   { return "internal" }
func (u signingError) Error() string { return "no logout token could be signed" }
func (u signingError) Unwrap() error { return u.error }
