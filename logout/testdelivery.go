package logout

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// TestDelivery is the result of a logout token that was sent to test a relying party.
type TestDelivery struct {
	URI       string         `json:"uri"`
	SID       string         `json:"sid"` // invented
	Duration  time.Duration  `json:"duration"`
	Answer    storage.Answer `json:"answer"`
	Confirmed bool           `json:"confirmed"`
	Meaning   string         `json:"meaning"`
}

// SendTestToken sends a logout token with an invented sid and sub to a client, and explains its answer.
func (d *Dispatcher) SendTestToken(ctx context.Context, c *storage.Client) (TestDelivery, error) {
	if c.BackchannelLogoutURI == "" {
		return TestDelivery{}, fmt.Errorf(
			"test client %s: it has no backchannel_logout_uri: %w",
			c.ClientID,
			storage.ErrNotFound,
		)
	}
	ctx, cancel := context.WithTimeout(ctx, AttemptTimeout)
	defer cancel()
	delivery := storage.Delivery{
		Client:  c.ClientID,
		URI:     c.BackchannelLogoutURI,
		Host:    queueHost(c),
		Subject: "test-" + rand.Text(),
		SID:     "test-" + rand.Text(),
		Alg:     c.IDTokenSignedResponseAlg,
		Typ:     c.LogoutTokenTyp,
		Claims:  c.LogoutTokenClaims,
	}
	started := d.Now()
	jti := rand.Text()
	response, err := d.send(ctx, delivery, jti)
	a := newAnswer(jti, response, err, d.Now())
	return TestDelivery{
		URI:       delivery.URI,
		SID:       delivery.SID,
		Duration:  d.Now().Sub(started),
		Answer:    a,
		Confirmed: confirmsLogout(a.Status) && !c.HasUntrustedConfirmations(),
		Meaning:   ExplainAnswer(a),
	}, nil
}

// ExplainAnswer returns a sentence for the operator of the relying party: what the answer means, and what Curfew does
// next.
func ExplainAnswer(a storage.Answer) string {
	isRefusal := maxRefusalsFor(a.Status) > 0
	switch {
	case confirmsLogout(a.Status):
		return "confirmed: the app says that the session is over"
	case a.Class == "denied":
		return "not sent: the address is private or the port closed; egress.allow (for a client that registered " +
			"itself: registration.egress_allow) does not list it"
	case a.Class == "internal":
		return "not sent: no logout token could be signed; the log says why"
	case a.Class == "tls":
		return "no answer (tls): the certificate is not trusted; if a CA of your own signed it, name that CA in " +
			"egress.ca; " + triedAgain
	case a.Status == 0:
		return "no answer (" + a.Class + "): " + triedAgain
	case a.Status == http.StatusBadRequest:
		return "refused as invalid: tried three times, then given up; check its issuer, its keys, and " +
			"logout_token_typ and logout_token_claims"
	case isRedirect(a.Status) && strings.HasPrefix(a.Detail, redirectsTo):
		return "it " + a.Detail + notFollowed
	case isRedirect(a.Status):
		return "it redirects" + notFollowed
	case isRefusal:
		return "refused: no endpoint for logout tokens answers at this URI; tried twice, then given up"
	case a.Status >= 200 && a.Status < 300:
		return "accepted, but only 200 and 204 confirm: " + triedAgain
	default:
		return "not now: " + triedAgain
	}
}

const (
	triedAgain  = "tried again until it confirms or time is up"
	notFollowed = ", and redirects are never followed: register the final URI; tried twice, then given up"
)
