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

// LateJoin is how long before the end a client may have joined to be told a second time, and how long after the end that is: it
// may have been creating its session when the first logout token arrived, answered "nothing to end", and then created it.
const LateJoin = 30 * time.Second

// TellAtMost is how long a relying party without a bound is tried.
const TellAtMost = 24 * time.Hour

// tellAtLeast is how long every relying party is tried, even where a bound passes sooner.
const tellAtLeast = time.Minute

// Plan is what is written for something that ended: one report with a row for each holder, and a delivery for each client with a
// back channel. It is pure: the same ending has the same plan, identifiers included.
func Plan(e *Ender, ended storage.Ended) storage.Plan {
	r := &storage.Report{
		ID:        reportID(ended),
		Cause:     ended.Cause,
		Session:   storage.SessionHash(ended.Session.ID),
		Whole:     ended.Whole,
		Subject:   ended.Session.Subject,
		At:        ended.At,
		AuthTime:  ended.Session.AuthTime,
		UserAgent: ended.Session.UserAgent,
		Address:   ended.Session.Address,
		Rows:      holders(ended, e.Lifetimes),
		Keep:      ended.At.Add(e.keepReports()),
	}
	if ended.Session.ID == "" && len(ended.Grants) > 0 { // only a grant ended
		r.Subject, r.Session = ended.Grants[0].Subject, storage.SessionHash(ended.Grants[0].Session)
	}
	plan := storage.Plan{Report: r}
	if expired(ended.Cause) && e.SilentExpiry {
		return plan
	}
	for _, m := range ended.Session.Members {
		if c := ended.Clients[m.Client]; c != nil && c.BackchannelLogoutURI != "" {
			row := r.Row(KindApplication, m.Client)
			plan.Deliveries = append(plan.Deliveries, tell(e, ended, r.ID, m, c, row)...)
		}
	}
	return plan
}

// tell plans the delivery to one client, and the second one where it joined only just before the end.
func tell(e *Ender, ended storage.Ended, report string, m storage.Member, c *storage.Client, row *storage.Row) []storage.Delivery {
	d := storage.Delivery{
		ID:      placeOf(report) + identifier("delivery", report, m.Client, m.SID),
		Report:  report,
		Client:  m.Client,
		URI:     c.BackchannelLogoutURI,
		Host:    hostOf(c.BackchannelLogoutURI),
		Subject: e.subject(ended, c),
		SID:     m.SID,
		Alg:     c.IDTokenSignedResponseAlg,
		Typ:     c.LogoutTokenTyp,
		Claims:  c.LogoutTokenClaims,
		Created: ended.At,
		Next:    ended.At,
		GiveUp:  giveUp(*row, ended.At),
		State:   storage.DeliveryPending,
	}
	row.Delivery, row.Next = storage.DeliveryPending, ended.At
	deliveries := []storage.Delivery{d}
	if joinedLate(m, c, ended.At) {
		late := d
		late.ID = placeOf(report) + identifier("late", report, m.Client, m.SID)
		late.Late, late.Next = true, lateFrom(m, ended.At).Add(LateJoin)
		late.GiveUp = latest(d.GiveUp, late.Next.Add(tellAtLeast))
		row.Late = LatePending
		deliveries = append(deliveries, late)
	}
	return deliveries
}

func joinedLate(m storage.Member, c *storage.Client, at time.Time) bool {
	return (c.TellLateJoin == nil || *c.TellLateJoin) && latest(m.Joined, m.Trust.Issued).After(at.Add(-LateJoin))
}

// lateFrom is when the time begins that a late joiner has for creating its session: the end, or where it joined between the reading of the clock
// and the commit, that moment. What says that it joined much later is from before the clock was put back.
func lateFrom(m storage.Member, at time.Time) time.Time {
	return earlier(latest(at, latest(m.Joined, m.Trust.Issued)), at.Add(storage.ClockStep))
}

// giveUp is when telling has no more use: the bound has passed; or a day has, where there is none.
func giveUp(row storage.Row, at time.Time) time.Time {
	if row.Until.IsZero() {
		return at.Add(TellAtMost)
	}
	return latest(row.Until, at.Add(tellAtLeast))
}

// hostOf is the canonical host:port of a URI.
func hostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		return uri
	}
	return canonicalHost(u.Scheme, u.Hostname(), u.Port())
}

// reportID names the report of something that ended. It follows from what ended, because a plan may be made twice.
func reportID(e storage.Ended) string {
	if e.Session.ID != "" {
		return place(e) + identifier("report", e.Cause.ID, string(e.Session.ID))
	}
	parts := []string{"report of grants", e.Cause.ID}
	for _, g := range e.Grants {
		parts = append(parts, g.ID)
	}
	slices.Sort(parts[2:])
	return place(e) + identifier(parts...)
}

// place begins the identifiers of reports and deliveries, so that they sort by when something ended and then as the sessions did: what is
// written, claimed and settled together lies on the same pages of the store, and a report is written once for several of its deliveries.
func place(e storage.Ended) string {
	const enough = 4 // characters of a session's ID to keep the order of very many
	return strconv.FormatInt(e.At.UnixMilli(), 36) + string(e.Session.ID[:min(enough, len(e.Session.ID))])
}

// placeOf is the place that a report's identifier begins with.
func placeOf(report string) string { return report[:len(report)-identifierLength] }

// identifierLength is the length of an identifier.
const identifierLength = 22

// identifier is unguessable because a cause's ID is.
func identifier(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}
