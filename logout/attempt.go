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

// AttemptLimit is how long one attempt may take, from connecting to the end of the answer.
const AttemptLimit = 5 * time.Second

// Poster posts a form to a relying party. It follows no redirect, sends no cookies, and returns when ctx ends. Its error may have a
// method Class() string that names the kind of failure.
type Poster func(ctx context.Context, uri string, form url.Values) (Reply, error)

// outcome is a delivery after an attempt.
type outcome struct {
	storage.Settlement
	delivery storage.Delivery
	quiet    bool               // nothing was sent: it goes back unchanged
	kind     string             // of the report's row
	from, to storage.TrustState // of the report's row
}

// attempt makes one attempt: it signs afresh, since a token expires during a pause and relying parties remember a jti
// (Back-Channel Logout 1.0 §2.6), posts, and decides what the answer means.
func (d *Dispatcher) attempt(ctx context.Context, delivery storage.Delivery) *outcome {
	ctx, cancel := context.WithTimeout(ctx, AttemptLimit)
	defer cancel()
	began := d.Now()
	reply, err := d.send(ctx, d.current(ctx, delivery))
	now := d.Now()
	o := &outcome{Settlement: settle(delivery, reply, err, now, d.random()), delivery: delivery}
	advance := o.Row
	o.Row = func(row storage.Row) storage.Row {
		next := advance(row)
		o.kind, o.from, o.to = row.Kind, row.Trust, next.Trust
		return next
	}
	d.Observe.attempt(delivery.Client, class(o.Answer), now.Sub(began))
	return o
}

// send signs and posts one logout token (Back-Channel Logout 1.0 §2.5).
func (d *Dispatcher) send(ctx context.Context, delivery storage.Delivery) (Reply, error) {
	jti := rand.Text()
	iat := d.Now().UTC().Truncate(time.Second)
	exp := iat.Add(TokenLife)
	token, err := d.Sign(ctx, delivery, jti, iat, exp, tokenClaims(d.Issuer, delivery, jti, iat, exp))
	if err != nil {
		d.log().ErrorContext(ctx, "sign logout token", "client", delivery.Client, "err", err)
		return Reply{}, unsigned{err}
	}
	reply, err := d.Post(ctx, delivery.URI, url.Values{"logout_token": {token}})
	reply.JTI = jti
	return reply, err
}

// current is the delivery by what the client's metadata say now, so that mending them mends what is still to be told. A client that is gone, or
// another of the same id, leaves it as it was written.
func (d *Dispatcher) current(ctx context.Context, delivery storage.Delivery) storage.Delivery {
	c, err := d.Store.Client(ctx, delivery.Client)
	if err != nil || c.BackchannelLogoutURI == "" || c.Created.After(delivery.Created) {
		return delivery
	}
	delivery.URI, delivery.Alg, delivery.Typ, delivery.Claims = c.BackchannelLogoutURI, c.IDTokenSignedResponseAlg, c.LogoutTokenTyp, c.LogoutTokenClaims
	return delivery
}

// unsigned is our own failure to sign; what is wrong stands in our log and not in what people see of an application.
type unsigned struct{ error }

func (unsigned) Class() string   { return "internal" }
func (u unsigned) Error() string { return "no logout token could be made" }
func (u unsigned) Unwrap() error { return u.error }

// Trial is a logout token sent to try a relying party out.
type Trial struct {
	URI     string         `json:"uri"`
	SID     string         `json:"sid"` // invented
	Took    time.Duration  `json:"took"`
	Answer  storage.Answer `json:"answer"`
	OK      bool           `json:"ok"`
	Meaning string         `json:"meaning"`
}

// Try sends a real logout token for an invented session to a client, and says what its answer would have meant.
func (d *Dispatcher) Try(ctx context.Context, c *storage.Client) (Trial, error) {
	if c.BackchannelLogoutURI == "" {
		return Trial{}, fmt.Errorf("try client %s: it has no backchannel_logout_uri: %w", c.ClientID, storage.ErrNotFound)
	}
	ctx, cancel := context.WithTimeout(ctx, AttemptLimit)
	defer cancel()
	delivery := storage.Delivery{Client: c.ClientID, URI: c.BackchannelLogoutURI, Subject: "nobody-" + rand.Text(), SID: "nowhere-" + rand.Text(),
		Alg: c.IDTokenSignedResponseAlg, Typ: c.LogoutTokenTyp, Claims: c.LogoutTokenClaims}
	began := d.Now()
	reply, err := d.send(ctx, delivery)
	a := answerOf(reply, err, d.Now())
	return Trial{URI: delivery.URI, SID: delivery.SID, Took: d.Now().Sub(began), Answer: a, OK: confirms(a.Status), Meaning: Meaning(a)}, nil
}

// Meaning says what an answer means and what becomes of it, in a sentence for whoever runs the relying party.
func Meaning(a storage.Answer) string {
	switch tries := allowed(a.Status); {
	case confirms(a.Status):
		return "confirmed: the application says that the session is over"
	case a.Class == "denied":
		return "not sent: the address is private and egress.allow does not list it"
	case a.Class == "internal":
		return "not sent: no logout token could be made; see the log"
	case a.Status == 0:
		return "no answer (" + a.Class + "): tried again until it is told or time is up"
	case a.Status == 400:
		return "refused as invalid: tried three times, then given up; check its issuer, its keys, and logout_token_typ and logout_token_claims"
	case a.Status < 400 && tries > 0:
		return "redirected: never followed, since the token would go to somebody else; tried twice, then given up"
	case tries > 0:
		return "refused: nothing answers for logout tokens at this URI; tried twice, then given up"
	case a.Status >= 200 && a.Status < 300:
		return "accepted, but only 200 and 204 confirm: tried again until it is told or time is up"
	default:
		return "not now: tried again until it is told or time is up"
	}
}

func class(a storage.Answer) string {
	if a.Status == 0 {
		return a.Class
	}
	return strconv.Itoa(a.Status)
}
