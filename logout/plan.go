package logout

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// RenotifyDelay is the time for which a client may still be creating its session after it got tokens. If the logout
// token arrives during that time, the client may answer 200 because there is nothing to end, and then create the
// session. A client that joined less than RenotifyDelay before the termination gets a second logout token
// RenotifyDelay after the termination.
const RenotifyDelay = 30 * time.Second

// MaxDeliveryPeriod is how long the dispatcher tries a delivery to a relying party without a bound.
const MaxDeliveryPeriod = 24 * time.Hour

// minDeliveryPeriod is how long the dispatcher tries every delivery, even if the bound passes sooner.
const minDeliveryPeriod = time.Minute

// minAttempts is how many attempts the dispatcher makes at least before it gives up. A clock that jumps forward past
// GiveUpAt, or a server that was stopped until then, does not cost a client its notification.
const minAttempts = 4

// Plan returns the report and the deliveries that the store writes for a termination. It is pure: the same termination
// always gives the same plan, with the same identifiers.
//
// enforcedBy is a time by which every reader saw that the tokens are revoked. It is zero if the plan is made inside the
// commit that revokes them, because that commit may take any time. The bound of cached introspection responses is then
// the expiry of the tokens. When the commit has returned, [Terminator] moves the bound to an earlier time. If the
// process stops before that, the report keeps the later bound, which is also true.
func Plan(t *Terminator, termination storage.Termination, enforcedBy time.Time) storage.Plan {
	r := &storage.Report{
		ID:           reportID(termination),
		Cause:        termination.Cause,
		SessionHash:  storage.SessionHash(termination.Session.ID),
		WholeSession: termination.WholeSession,
		Subject:      termination.Session.Subject,
		EndedAt:      termination.EndedAt,
		AuthTime:     termination.Session.AuthTime,
		UserAgent:    termination.Session.UserAgent,
		Address:      termination.Session.Address,
		Entries:      reportEntries(termination, t.Lifetimes, enforcedBy),
		DeleteAfter:  termination.EndedAt.Add(t.reportRetention()),
	}
	if termination.Session.ID == "" && len(termination.Grants) > 0 { // only a grant ended
		r.Subject = termination.Grants[0].Subject
		r.SessionHash = storage.SessionHash(termination.Grants[0].Session)
	}
	plan := storage.Plan{Report: r}
	if isExpiry(termination.Cause) && t.SilentExpiry {
		return plan
	}
	for _, cs := range termination.Session.ClientSessions {
		if c := termination.Clients[cs.Client]; c != nil && c.BackchannelLogoutURI != "" {
			entry := r.Entry(KindClientSession, cs.Client)
			plan.Deliveries = append(plan.Deliveries, planDeliveries(t, termination, r.ID, cs, c, entry)...)
		}
	}
	return plan
}

// planDeliveries plans the delivery to one client and, if needed, the re-notification. It updates the client's entry.
func planDeliveries(
	t *Terminator,
	termination storage.Termination,
	report string,
	cs storage.ClientSession,
	c *storage.Client,
	entry *storage.ReportEntry,
) []storage.Delivery {
	d := storage.Delivery{
		ID:          idPrefixOf(report) + hashID("delivery", report, cs.Client, cs.SID),
		Report:      report,
		Client:      cs.Client,
		URI:         c.BackchannelLogoutURI,
		Host:        queueHost(c),
		Subject:     t.clientSubject(termination, cs, c),
		SID:         cs.SID,
		Alg:         c.IDTokenSignedResponseAlg,
		Typ:         c.LogoutTokenTyp,
		Claims:      c.LogoutTokenClaims,
		Untrusted:   c.HasUntrustedConfirmations(),
		Created:     termination.EndedAt,
		NextAttempt: termination.EndedAt,
		GiveUpAt:    giveUpAt(*entry, termination.EndedAt),
		State:       storage.DeliveryPending,

		ClientSequence: c.Sequence,
	}
	entry.Delivery = storage.DeliveryPending
	entry.NextAttempt = termination.EndedAt
	deliveries := []storage.Delivery{d}
	if needsRenotification(cs, c, termination.EndedAt) {
		renotification := d
		renotification.ID = idPrefixOf(report) + hashID("late", report, cs.Client, cs.SID)
		renotification.Renotification = true
		renotification.NextAttempt = renotifyFrom(cs, termination.EndedAt).Add(RenotifyDelay)
		renotification.GiveUpAt = latest(d.GiveUpAt, renotification.NextAttempt.Add(minDeliveryPeriod))
		entry.Renotification = RenotificationPending
		deliveries = append(deliveries, renotification)
	}
	return deliveries
}

// needsRenotification reports whether the client may still have been creating its session at the termination.
func needsRenotification(cs storage.ClientSession, c *storage.Client, endedAt time.Time) bool {
	wantsRenotification := c.Renotify == nil || *c.Renotify
	return wantsRenotification && lastSignIn(cs).After(endedAt.Add(-RenotifyDelay))
}

// renotifyFrom returns the time to which RenotifyDelay is added: the termination. A client may join after the
// terminator has read the clock and before the commit; then it is the time of joining. If that is more than
// RenotifyDelay after the termination, the clock was set back, and renotifyFrom limits it.
func renotifyFrom(cs storage.ClientSession, endedAt time.Time) time.Time {
	return earliest(latest(endedAt, lastSignIn(cs)), endedAt.Add(RenotifyDelay))
}

// lastSignIn returns when the client last got an ID token, from which it may create a session.
func lastSignIn(cs storage.ClientSession) time.Time {
	return latest(cs.Joined, cs.TokenExpiry.LastIDToken)
}

// giveUpAt returns until when the dispatcher tries a delivery: until the bound of the client session has passed, or for
// MaxDeliveryPeriod if there is no bound.
func giveUpAt(entry storage.ReportEntry, endedAt time.Time) time.Time {
	if entry.ExpiresAt.IsZero() {
		return endedAt.Add(MaxDeliveryPeriod)
	}
	return latest(entry.ExpiresAt, endedAt.Add(minDeliveryPeriod))
}

// hostOf returns the canonical host:port of a URI.
func hostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		return uri
	}
	return canonicalHost(u.Scheme, u.Hostname(), u.Port())
}

// reportID returns the ID of the report of a termination. It is not random, because a plan may be made twice and must
// give the same ID.
func reportID(t storage.Termination) string {
	if t.Session.ID != "" {
		return idPrefix(t) + hashID("report", t.Cause.ID, string(t.Session.ID))
	}
	var grantIDs []string
	for _, g := range t.Grants {
		grantIDs = append(grantIDs, g.ID)
	}
	slices.Sort(grantIDs)
	parts := append([]string{"report of grants", t.Cause.ID}, grantIDs...)
	return idPrefix(t) + hashID(parts...)
}

// idPrefix returns the beginning of the identifiers of reports and deliveries. It lets them sort by the time of the
// termination and then by session. Records that are written, claimed and recorded together are thus on the same pages
// of the store.
func idPrefix(t storage.Termination) string {
	const sessionIDChars = 4 // enough to keep the order of very many sessions
	beginOfID := t.Session.ID[:min(sessionIDChars, len(t.Session.ID))]
	return strconv.FormatInt(t.EndedAt.UnixMilli(), 36) + string(beginOfID)
}

// idPrefixOf returns the idPrefix at the beginning of a report ID.
func idPrefixOf(report string) string { return report[:len(report)-hashIDLength] }

const (
	hashIDBytes  = 16 // bytes of the hash that hashID uses
	hashIDLength = 22 // length of the result of hashID: hashIDBytes in base64url
)

// hashID hashes parts to an identifier. It cannot be guessed, because one of the parts is the random ID of a cause.
func hashID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:hashIDBytes])
}
