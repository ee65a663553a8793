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

// Poster posts a form to the URI of a delivery. It follows no redirect, sends no cookies, and returns when ctx ends.
// Its error may have a method Class() string that names the kind of failure.
type Poster func(ctx context.Context, d storage.Delivery, form url.Values) (Response, error)

// attemptOutcome is the outcome of an attempt, for the store, the log and the metrics.
type attemptOutcome struct {
	storage.DeliveryOutcome
	delivery  storage.Delivery // as it was claimed
	notSent   bool             // no attempt was made: the claim was released
	duration  time.Duration
	entryKind string             // Kind of the report entry
	oldTrust  storage.TrustState // of the report entry before the outcome
	newTrust  storage.TrustState // of the report entry after the outcome
}

// attempt makes one attempt: it signs a new logout token, posts it, and evaluates the answer. It cannot send the token
// of an earlier attempt again: that token has expired, and relying parties refuse a jti that they have seen
// (Back-Channel Logout 1.0 §2.6).
func (d *Dispatcher) attempt(ctx context.Context, delivery storage.Delivery) *attemptOutcome {
	ctx, cancel := context.WithTimeout(ctx, AttemptTimeout)
	defer cancel()
	started := d.Now()
	jti := rand.Text()
	response, err := d.send(ctx, d.withoutSubject(ctx, d.withCurrentMetadata(ctx, delivery)), jti)
	now := d.Now()
	o := &attemptOutcome{
		DeliveryOutcome: evaluateAttempt(delivery, jti, response, err, now, d.random()),
		delivery:        delivery,
	}
	update := o.UpdateEntry
	o.UpdateEntry = func(old storage.ReportEntry) storage.ReportEntry {
		updated := update(old)
		o.entryKind = old.Kind
		o.oldTrust = old.Trust
		o.newTrust = updated.Trust
		return updated
	}
	d.Observer.attempt(delivery.Client, answerClass(o.Answer), now.Sub(started))
	return o
}

// send signs and posts one logout token with that jti (Back-Channel Logout 1.0 §2.5).
func (d *Dispatcher) send(ctx context.Context, delivery storage.Delivery, jti string) (Response, error) {
	iat := d.Now().UTC().Truncate(time.Second)
	exp := iat.Add(TokenLifetime)
	token, err := d.Sign(ctx, delivery, jti, iat, exp, tokenClaims(d.Issuer, delivery, jti, iat, exp))
	if err != nil {
		d.log().ErrorContext(ctx, "sign logout token", "client", delivery.Client, "err", err)
		return Response{}, signingError{err}
	}
	return d.Post(ctx, delivery, url.Values{"logout_token": {token}})
}

// withCurrentMetadata returns the delivery with the client's current URI, algorithm and token format, so that a
// correction of the metadata also corrects pending deliveries. If the client was removed, or another client now has its
// id, the delivery stays as it was planned.
func (d *Dispatcher) withCurrentMetadata(ctx context.Context, delivery storage.Delivery) storage.Delivery {
	c, err := d.Store.Client(ctx, delivery.Client)
	if err != nil || c.BackchannelLogoutURI == "" || c.Sequence != delivery.ClientSequence {
		return delivery
	}
	delivery.URI = c.BackchannelLogoutURI
	delivery.Alg = c.IDTokenSignedResponseAlg
	delivery.Typ = c.LogoutTokenTyp
	delivery.Claims = c.LogoutTokenClaims
	return delivery
}

// signingError is a failure to sign. Reports do not show its cause; the log does.
type signingError struct{ error }

func (signingError) Class() string   { return "internal" }
func (e signingError) Error() string { return "no logout token could be signed" }
func (e signingError) Unwrap() error { return e.error }
