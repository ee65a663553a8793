package logout

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/curfew-id/curfew/storage"
	"pgregory.net/rapid"
)

// relyingParty is a relying party with its resource server, that does what it declared and uses all the room this
// leaves.
type relyingParty struct {
	meta         storage.Metadata
	clockOffset  time.Duration   // of its clocks, within what it declared
	joinedBefore time.Duration   // before the end
	startsAfter  time.Duration   // after its ID token it has its session
	refresh      []time.Duration // before the end
	offline      bool
	network      []string // what happens to each attempt to notify it; the last one repeats for ever

	name          string
	sid           string
	started       time.Time // its session exists from then on
	loggedOutAt   time.Time // a logout token ended it
	sessionExpiry time.Time // the latest session_expiry claim it got
	tokens        time.Time // the latest expiry of its access tokens
	sessionBound  time.Time // of those that ended with the session
	cachedUntil   time.Time // until then its resource server goes by an introspection answer
	mu            sync.Mutex
	attempts      int
	grant         storage.Grant
	token         storage.Hash // an opaque access token
	refreshToken  storage.Hash
}

// scenario is one history: which clients joined, when the session ended, what got lost and when the process crashed.
type scenario struct {
	parties []*relyingParty
	commit  time.Duration // from reading the clock to the commit
	crashes []time.Duration
}

func drawScenario(t *rapid.T) scenario {
	duration := func(name string, least, most time.Duration) time.Duration {
		return time.Duration(
			rapid.Int64Range(int64(least/time.Millisecond), int64(most/time.Millisecond)).Draw(t, name),
		) * time.Millisecond
	}
	var s scenario
	for i := range rapid.IntRange(1, 4).Draw(t, "parties") {
		skew := rapid.IntRange(0, 60).Draw(t, "skew")
		p := &relyingParty{name: fmt.Sprint("rp", i), joinedBefore: duration("joins", 0, 40*time.Minute)}
		if rapid.Bool().Draw(t, "recent") {
			p.joinedBefore = duration("joins", 0, time.Minute)
		}
		p.clockOffset = duration("off", -seconds(skew), seconds(skew))
		p.meta = storage.Metadata{
			ClientID:          p.name,
			ClientName:        p.name,
			ClockSkew:         &skew,
			SessionWithTokens: rapid.Bool().Draw(t, "with tokens"),
		}
		if rapid.Bool().Draw(t, "back") {
			p.meta.BackchannelLogoutURI = "https://" + p.name + ".example/"
			renotify := rapid.Bool().Draw(t, "renotify")
			if p.meta.Renotify = &renotify; renotify {
				p.startsAfter = duration("starts", 0, RenotifyDelay-time.Millisecond)
			}
		}
		if rapid.Bool().Draw(t, "front") {
			p.meta.FrontchannelLogoutURI = "https://" + p.name + ".example/f"
		}
		if rapid.Bool().Draw(t, "lease") {
			p.meta.SessionExpiry = rapid.IntRange(1, 3600).Draw(t, "session_expiry")
		}
		if rapid.Bool().Draw(t, "jwt") {
			p.meta.AccessTokenFormat = "jwt"
		}
		if rapid.Bool().Draw(t, "caches") {
			p.meta.IntrospectionCache = rapid.IntRange(1, 4000).Draw(t, "cache")
		}
		p.offline = rapid.Bool().Draw(t, "offline")
		for range rapid.IntRange(0, 2).Draw(t, "refreshes") {
			p.refresh = append(p.refresh, duration("refresh", 0, p.joinedBefore))
		}
		p.network = rapid.SliceOfN(rapid.SampledFrom([]string{
			"ok",
			"lost",
			"answer lost",
			"500",
			"400",
			"404",
			"202",
			"slow",
			"hang",
		}), 1, 6).
			Draw(t, "network")
		s.parties = append(s.parties, p)
	}
	s.commit = duration("commit", 0, 10*time.Second)
	for range rapid.IntRange(0, 3).Draw(t, "crashes") {
		s.crashes = append(s.crashes, duration("crash", 0, 2*time.Minute))
	}
	slices.Sort(s.crashes)
	return s
}

// issue is what the party is given: it notes what it may accept until when.
func (p *relyingParty) issue(now time.Time, offline bool) storage.Issuance {
	give := storage.Issuance{Trust: storage.TokenExpiry{LastIDToken: now}}
	life := time.Hour
	if p.meta.AccessTokenFormat == "jwt" {
		life = 10 * time.Minute
		give.Trust.JWT = now.Add(life)
	} else {
		give.Trust.Opaque = now.Add(life)
		token := storage.Token{Hash: storage.HashOf(rand.Text()), SID: p.sid, Issued: now, Expires: now.Add(life)}
		if offline {
			token.SID = ""
		}
		p.token, give.Tokens = token.Hash, []storage.Token{token}
	}
	p.tokens = now.Add(life)
	if !offline {
		p.sessionBound = p.tokens
		if p.meta.SessionExpiry > 0 {
			p.sessionExpiry = now.Add(seconds(p.meta.SessionExpiry))
			give.Trust.SessionExpiry = p.sessionExpiry
		}
	}
	return give
}

func (p *relyingParty) join(w *fixture, id storage.SessionID) {
	now := time.Now()
	p.sid = rand.Text()
	p.refreshToken = storage.HashOf(rand.Text())
	code := storage.Code{
		ID:       rand.Text(),
		Client:   p.name,
		Subject:  "u",
		Session:  id,
		SID:      p.sid,
		Sequence: w.sequence(),
		Issued:   now,
		Expires:  now.Add(time.Minute),
	}
	r, err := w.store.Redeem(
		w.t.Context(),
		code,
		now,
		func(s storage.Session, _ storage.ClientSession) (storage.Issuance, error) {
			give := p.issue(now, false)
			give.Grant = storage.Grant{
				ID:          rand.Text(),
				AuthTime:    now,
				Created:     now,
				LastUsed:    now,
				RefreshHash: p.refreshToken,
				Session:     s.ID,
			}
			if p.offline {
				give.Grant.Session = ""
			}
			return give, nil
		},
	)
	w.must(err)
	p.grant, p.started = r.Grant, now.Add(p.startsAfter)
}

// renew refreshes, as long as that works. What offline access gives is not the session's.
func (p *relyingParty) renew(w *fixture) {
	next := storage.HashOf(rand.Text())
	now := time.Now()
	_, err := w.store.Refresh(
		w.t.Context(),
		storage.RefreshRequest{Token: p.refreshToken, NewToken: next, Client: p.name},
		now,
		func(g storage.Grant, _ *storage.Session) (storage.Issuance, error) {
			give := p.issue(now, p.offline)
			give.Grant = g
			return give, nil
		},
	)
	if err == nil {
		p.refreshToken = next
	}
}

// introspect is its resource server asking; an answer that says yes counts for as long as was declared.
func (p *relyingParty) introspect(w *fixture) (active bool) {
	now := time.Now()
	token, _, err := w.store.Token(w.t.Context(), p.token, now)
	if err == nil && (token.SID != "" || !p.offline) {
		p.cachedUntil = earliest(now.Add(seconds(p.meta.IntrospectionCache)), token.Expires.Add(-p.clockOffset))
		if p.meta.IntrospectionCache == 0 {
			p.cachedUntil = now
		}
	}
	return err == nil
}

// receive is a logout token on its way.
func (p *relyingParty) receive(ctx context.Context) (Response, error) {
	p.mu.Lock()
	what := p.network[min(p.attempts, len(p.network)-1)]
	p.attempts++
	p.mu.Unlock()
	act := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if now := time.Now(); p.loggedOutAt.IsZero() && !now.Before(p.started) {
			p.loggedOutAt = now
		}
	}
	switch what {
	case "ok":
		act()
		return Response{Status: 200}, nil
	case "slow":
		time.Sleep(4500 * time.Millisecond)
		act()
		return Response{Status: 204}, nil
	case "answer lost":
		act()
		return Response{}, refused{}
	case "lost":
		return Response{}, refused{}
	case "hang":
		<-ctx.Done()
		return Response{}, ctx.Err()
	default:
		var status int
		fmt.Sscan(what, &status)
		return Response{Status: status}, nil
	}
}

// farFuture is when something ends that has no end.
var farFuture = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// clientSessionEnd is when its own session really ended.
func (p *relyingParty) clientSessionEnd() time.Time {
	end := farFuture
	if !p.loggedOutAt.IsZero() {
		end = p.loggedOutAt
	}
	if p.meta.SessionExpiry > 0 {
		end = earliest(end, p.sessionExpiry.Add(-p.clockOffset))
	}
	if p.meta.SessionWithTokens {
		end = earliest(end, p.tokens.Add(-p.clockOffset))
	}
	return end
}

// tokensAcceptedUntil returns when its resource servers stopped accepting the tokens that were revoked with the
// session.
func (p *relyingParty) tokensAcceptedUntil() time.Time {
	if p.meta.AccessTokenFormat == "jwt" {
		return p.sessionBound.Add(-p.clockOffset)
	}
	return p.cachedUntil
}
