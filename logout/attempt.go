package logout

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// AttemptTimeout is how long one attempt may take, from connecting to the end of the answer.
const AttemptTimeout = 5 * time.Second

// Poster posts a form to a relying party. It follows no redirect, sends no cookies, and returns when ctx ends. Its error may have a
// method Class() string that names the kind of failure.
type Poster func(ctx context.Context, uri string, form url.Values) (Reply, error)

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
// (Back-Channel Logout 1.0 §2.6), posts, and decides what the answer means.
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
	reply, err := d.Post(ctx, delivery.URI, url.Values{"logout_token": {token}})
	reply.JTI = jti
	return reply, err
}

// withCurrentMetadata is the delivery by what the client's metadata say now, so that mending them mends what is still to be told. A client that is gone, or
// another of the same id, leaves it as it was written.
func (d *Dispatcher) withCurrentMetadata(ctx context.Context, delivery storage.Delivery) storage.Delivery {
	c, err := d.Store.Client(ctx, delivery.Client)
	if err != nil || c.BackchannelLogoutURI == "" || c.Created.After(delivery.Created) {
		return delivery
	}
	delivery.URI, delivery.Alg, delivery.Typ, delivery.Claims = c.BackchannelLogoutURI, c.IDTokenSignedResponseAlg, c.LogoutTokenTyp, c.LogoutTokenClaims
	return delivery
}

// signingError is our own failure to sign; what is wrong stands in our log and not in what people see of an application.
type signingError struct{ error }

func (signingError) Class() string   { return "internal" }
func (u signingError) Error() string { return "no logout token could be made" }
func (u signingError) Unwrap() error { return u.error }

// TestDelivery is a logout token sent to try a relying party out.
type TestDelivery struct {
	URI       string         `json:"uri"`
	SID       string         `json:"sid"` // invented
	Duration  time.Duration  `json:"duration"`
	Answer    storage.Answer `json:"answer"`
	Confirmed bool           `json:"confirmed"`
	Meaning   string         `json:"meaning"`
}

// SendTestToken sends a real logout token for an invented session to a client, and says what its answer would have meant.
func (d *Dispatcher) SendTestToken(ctx context.Context, c *storage.Client) (TestDelivery, error) {
	if c.BackchannelLogoutURI == "" {
		return TestDelivery{}, fmt.Errorf("try client %s: it has no backchannel_logout_uri: %w", c.ClientID, storage.ErrNotFound)
	}
	ctx, cancel := context.WithTimeout(ctx, AttemptTimeout)
	defer cancel()
	delivery := storage.Delivery{Client: c.ClientID, URI: c.BackchannelLogoutURI, Subject: "nobody-" + rand.Text(), SID: "nowhere-" + rand.Text(),
		Alg: c.IDTokenSignedResponseAlg, Typ: c.LogoutTokenTyp, Claims: c.LogoutTokenClaims}
	started := d.Now()
	reply, err := d.send(ctx, delivery)
	a := newAnswer(reply, err, d.Now())
	return TestDelivery{URI: delivery.URI, SID: delivery.SID, Duration: d.Now().Sub(started), Answer: a, Confirmed: confirmsLogout(a.Status), Meaning: ExplainAnswer(a)}, nil
}

// ExplainAnswer says what an answer means and what becomes of it, in a sentence for whoever runs the relying party.
func ExplainAnswer(a storage.Answer) string {
	switch limit := maxRefusals(a.Status); {
	case confirmsLogout(a.Status):
		return "confirmed: the application says that the session is over"
	case a.Class == "denied":
		return "not sent: the address is private and egress.allow does not list it"
	case a.Class == "internal":
		return "not sent: no logout token could be made; see the log"
	case a.Status == 0:
		return "no answer (" + a.Class + "): tried again until it is told or time is up"
	case a.Status == 400:
		return "refused as invalid: tried three times, then given up; check its issuer, its keys, and logout_token_typ and logout_token_claims"
	case a.Status < 400 && limit > 0:
		return "redirected: never followed, since the token would go to somebody else; tried twice, then given up"
	case limit > 0:
		return "refused: nothing answers for logout tokens at this URI; tried twice, then given up"
	case a.Status >= 200 && a.Status < 300:
		return "accepted, but only 200 and 204 confirm: tried again until it is told or time is up"
	default:
		return "not now: tried again until it is told or time is up"
	}
}

func answerClass(a storage.Answer) string {
	if a.Status == 0 {
		return a.Class
	}
	return strconv.Itoa(a.Status)
}
