package templates

import "time"

// Horizon says how long an ended session may still be accepted: by Curfew, by access tokens and by apps. These three
// parts are never merged. The durations count from the end of the session, which is now if the session is still active.
type Horizon struct {
	OP     time.Duration // how long Curfew itself accepts it; 0: not at all
	Tokens time.Duration // how long an access token may be accepted; 0: not at all

	Confirmed int           // apps that have confirmed; only after the end
	Over      int           // apps that have not confirmed, and whose client session has expired
	Expiring  int           // apps whose client session expires within Clients
	Clients   time.Duration // the longest time of Expiring
	Unknown   []string      // names of apps without a known expiry
	Notifying int           // how many of Unknown are being notified and may still confirm

	Upstreams     []string      // names of the other providers from which the sessions came
	UpstreamTrust Trust         // of the sessions there: the least certain one
	Chain         time.Duration // when all of this has ended at the latest, the sessions there included
	ChainUnknown  bool          // Chain leaves out a part without a known expiry
}

// HorizonTexts are the three parts of a horizon as texts.
type HorizonTexts struct {
	OP      Text `json:"op"`
	Tokens  Text `json:"tokens"`
	Clients Text `json:"clients"`
	Note    Text `json:"note"` // names the apps that Clients leaves out; null: none

	Upstream Text `json:"upstream"` // the sessions at other providers; null: none
	Chain    Text `json:"chain"`    // all parts together; null: no session came from another provider
}

// ifEndedNow returns the texts of the horizon if the session ended now.
func (l *locale) ifEndedNow(h Horizon) HorizonTexts {
	within := func(d time.Duration) Text {
		if d <= 0 {
			return l.text("horizon.at_once")
		}
		return l.text("horizon.within", "Duration", l.durationUp(d))
	}
	expiring := l.text("horizon.expiring_at_once", "Count", h.Expiring)
	if h.Clients > 0 {
		expiring = l.text("horizon.expiring_within", "Count", h.Expiring, "Duration", l.durationUp(h.Clients))
	}
	t := l.horizonTexts(h, within, expiring)
	if len(h.Upstreams) > 0 {
		name := "horizon.chain_within"
		if h.ChainUnknown {
			name = "horizon.chain_unknown"
		}
		t.Chain = l.text(name, "Duration", l.durationUp(h.Chain), "Provider", l.list(h.Upstreams))
	}
	return t
}

// sinceEnd returns the texts of the horizon of a session that ended at ended.
func (l *locale) sinceEnd(h Horizon, ended, now time.Time) HorizonTexts {
	isPast := func(d time.Duration) bool { return !now.IsZero() && !now.Before(ended.Add(d)) }
	until := func(d time.Duration) Text {
		switch end := l.deadline(ended.Add(d), ended); {
		case d <= 0:
			return l.text("horizon.at_once")
		case isPast(d):
			return l.text("horizon.over", "Time", end)
		default:
			return l.text("horizon.by", "Time", end)
		}
	}
	expiring := l.text("horizon.expiring_at_once", "Count", h.Expiring)
	if h.Clients > 0 {
		lastExpiry := l.deadline(ended.Add(h.Clients), ended)
		name := "horizon.expiring_by"
		if isPast(h.Clients) {
			name = "horizon.expiring_over"
		}
		expiring = l.text(name, "Count", h.Expiring, "Time", lastExpiry)
	}
	t := l.horizonTexts(h, until, expiring)
	switch {
	case len(h.Upstreams) == 0:
	case h.ChainUnknown:
		t.Chain = l.text("horizon.unknown")
	default:
		t.Chain = until(h.Chain)
	}
	return t
}

// upstreamTexts are the texts of Horizon.UpstreamTrust.
var upstreamTexts = map[Trust]string{
	TrustUnknown:   "horizon.upstream_open",
	TrustNotified:  "horizon.upstream_asked",
	TrustConfirmed: "horizon.upstream_ended",
	TrustRevoked:   "horizon.upstream_refused",
}

// horizonTexts returns the texts of a horizon. until returns the text for the end of a duration; expiring is the text
// for the apps of Expiring.
func (l *locale) horizonTexts(h Horizon, until func(time.Duration) Text, expiring Text) HorizonTexts {
	t := HorizonTexts{OP: until(h.OP), Tokens: until(h.Tokens), Clients: l.clientsText(h, expiring)}
	if len(h.Upstreams) > 0 {
		t.Upstream = l.text(upstreamTexts[h.UpstreamTrust], "Provider", l.list(h.Upstreams))
	}
	if n := len(h.Unknown); n > 0 {
		t.Note = l.text("horizon.unknown_apps", "Count", n, "Apps", h.Unknown)
		if h.Notifying > 0 {
			t.Note = join(t.Note, l.text("horizon.may_confirm", "Count", h.Notifying))
		}
	}
	return t
}

// clientsText returns the text of the apps: how many have confirmed, have expired or are expiring.
func (l *locale) clientsText(h Horizon, expiring Text) Text {
	var counts []string
	if h.Confirmed > 0 {
		counts = append(counts, l.text("horizon.confirmed", "Count", h.Confirmed).String())
	}
	if h.Over > 0 {
		counts = append(counts, l.text("horizon.ended", "Count", h.Over).String())
	}
	switch {
	case h.Expiring > 0 && len(counts) > 0:
		return l.text("list.last", "A", l.list(counts), "B", expiring)
	case h.Expiring > 0:
		return expiring
	case len(counts) > 0:
		return l.list(counts)
	case len(h.Unknown) == 0:
		return l.text("horizon.none")
	case h.Notifying == len(h.Unknown):
		return l.text("horizon.asked_at_once", "Count", h.Notifying)
	}
	return l.text("horizon.unknown")
}
