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

// RenotifyDelay is how long before the end a client may have joined to be notified a second time, and how long after
// the end that is. The client may have been creating its session when the first logout token arrived: it answered
// "nothing to end", and created the session then.
const RenotifyDelay = 30 * time.Second

// MaxDeliveryPeriod is how long deliveries to a relying party without a bound are tried.
const MaxDeliveryPeriod = 24 * time.Hour

// minDeliveryPeriod is how long every delivery is tried, even if the bound passes sooner.
const minDeliveryPeriod = time.Minute

// Plan returns what the store writes for something that ended: one report, with an entry for everything that may
// still trust it, and a delivery for each client with a back channel. It is pure: the same termination has the same
// plan, identifiers included.
//
// enforcedBy is a time by which the commit that took effect was visible to every reader. It is zero inside that
// commit, which may take any time: then cached introspection answers are bounded by the expiry of their tokens alone,
// and [Terminator] brings the bound nearer when the commit has returned. If the process stops in between, the later
// bound stays, and is true.
func Plan(t *Terminator, termination storage.Termination, enforcedBy time.Time) storage.Plan {
	r := &storage.Report{
		ID:           reportID(termination),
		Cause:        termination.Cause,
		Session:      storage.SessionHash(termination.Session.ID),
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
		r.Subject, r.Session = termination.Grants[0].Subject, storage.SessionHash(termination.Grants[0].Session)
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

// planDeliveries plans the delivery to one client, and the re-notification if the client joined just before the end.
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
		Subject:     t.clientSubject(termination, c),
		SID:         cs.SID,
		Alg:         c.IDTokenSignedResponseAlg,
		Typ:         c.LogoutTokenTyp,
		Claims:      c.LogoutTokenClaims,
		Untrusted:   c.HasUntrustedConfirmations(),
		Created:     termination.EndedAt,
		NextAttempt: termination.EndedAt,
		GiveUpAt:    giveUpAt(*entry, termination.EndedAt),
		State:       storage.DeliveryPending,
	}
	entry.Delivery, entry.NextAttempt = storage.DeliveryPending, termination.EndedAt
	deliveries := []storage.Delivery{d}
	if needsRenotification(cs, c, termination.EndedAt) {
		renotification := d
		renotification.ID = idPrefixOf(report) + hashID("late", report, cs.Client, cs.SID)
		renotification.Renotification, renotification.NextAttempt = true, renotifyFrom(
			cs,
			termination.EndedAt,
		).Add(RenotifyDelay)
		renotification.GiveUpAt = latest(d.GiveUpAt, renotification.NextAttempt.Add(minDeliveryPeriod))
		entry.Renotification = RenotificationPending
		deliveries = append(deliveries, renotification)
	}
	return deliveries
}

func needsRenotification(cs storage.ClientSession, c *storage.Client, endedAt time.Time) bool {
	return (c.Renotify == nil || *c.Renotify) &&
		latest(cs.Joined, cs.TokenExpiry.LastIDToken).After(endedAt.Add(-RenotifyDelay))
}

// renotifyFrom is when the time begins that a client has for creating its session: the termination, or the moment at
// which it joined between the reading of the clock and the commit. A later one was dated by a clock that has been put
// back since.
func renotifyFrom(cs storage.ClientSession, endedAt time.Time) time.Time {
	return earliest(latest(endedAt, latest(cs.Joined, cs.TokenExpiry.LastIDToken)), endedAt.Add(RenotifyDelay))
}

// giveUpAt returns when a delivery has no more use: when the bound has passed, or MaxDeliveryPeriod if there is none.
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

// reportID returns the ID of the report of a termination. It depends on the termination alone, because a plan may be
// made twice.
func reportID(t storage.Termination) string {
	if t.Session.ID != "" {
		return idPrefix(t) + hashID("report", t.Cause.ID, string(t.Session.ID))
	}
	parts := []string{"report of grants", t.Cause.ID}
	for _, g := range t.Grants {
		parts = append(parts, g.ID)
	}
	slices.Sort(parts[2:])
	return idPrefix(t) + hashID(parts...)
}

// idPrefix begins the identifiers of reports and deliveries, so that they sort by the time of the end and then as the
// sessions did. Records that are written, claimed and recorded together then lie on the same pages of the store.
func idPrefix(t storage.Termination) string {
	const sessionIDChars = 4 // enough to keep the order of very many sessions
	return strconv.FormatInt(t.EndedAt.UnixMilli(), 36) + string(t.Session.ID[:min(sessionIDChars, len(t.Session.ID))])
}

// idPrefixOf returns the idPrefix that a report ID begins with.
func idPrefixOf(report string) string { return report[:len(report)-hashIDLength] }

// hashIDLength is the length of an identifier.
const hashIDLength = 22

// hashID hashes parts to an identifier. It cannot be guessed, because one of the parts is the random ID of a cause.
func hashID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}
