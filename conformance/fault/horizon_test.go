package fault

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	cacheSeconds = 5               // introspection_cache of ledger
	skew         = 2 * time.Second // clock_skew of ledger and paper
	// answerAllowance is how long an introspection answer may be under way (docs/applications.md): a resource server
	// does not keep an answer that took longer.
	answerAllowance = time.Second
)

// horizonClients are two clients without a back channel. ledger has opaque access tokens, whose resource server keeps
// introspection answers, and ends its session at the session_expiry claim. paper has JWT access tokens, whose resource
// server never asks, and ends its session with them.
var horizonClients = map[string]map[string]any{
	"ledger": {"introspection_cache": cacheSeconds, "session_expiry": 600, "clock_skew": int(skew.Seconds())},
	"paper": {
		"access_token_format": "jwt",
		"audience":            []string{"https://api.example"},
		"session_with_tokens": true,
		"clock_skew":          int(skew.Seconds()),
	},
}

// trackedSession is one session and the moments until which its clients and resource servers accept it.
type trackedSession struct {
	visitor      *visitor
	subject      string
	ledgerTokens time.Time // until then the resource server uses its last kept answer
	ledger       time.Time
	paperTokens  time.Time
	paper        time.Time
	asked        bool // the resource server has seen that the token is not active
}

// TestPublishedHorizonIsNeverBeforeTheObservedOne: apps and resource servers accept a session for as long as they
// declared, while all sessions end in several pages: with a quick disk, with one whose syncs take 1.5 s longer, and
// with a kill after the first commit. No report may publish an earlier moment than the last one at which its tokens or
// sessions were accepted. The short form has the kill alone, which needs slow commits too.
func TestPublishedHorizonIsNeverBeforeTheObservedOne(t *testing.T) {
	scenarios := []string{"slow commits, killed after the first"}
	if full() {
		scenarios = append(scenarios, "quick commits", "slow commits (+1.5 s)")
	}
	for _, scenario := range scenarios {
		t.Run(scenario, func(t *testing.T) { compareHorizons(t, scenario) })
	}
}

func compareHorizons(t *testing.T, scenario string) {
	w := mustStart(t, mustBuild(t, "-tags", "curfewfault"), nil)
	for id, metadata := range horizonClients {
		w.mustAddClient(id, "", metadata)
	}
	n := rounds(250, 600) // a page has 200 sessions
	tracked := w.mustTrack(n)
	slowDown := func() (stop func()) { return func() {} }
	if scenario != "quick commits" {
		slowDown = func() (stop func()) { return w.mustBeginInjecting("delay_exit=1500000") }
	}
	speedUp := slowDown()
	var late atomic.Int64
	asking := w.introspectUntilRefused(tracked, &late)
	for w.history.accepted("introspection") < n { // the resource servers keep answers when the sessions end
		time.Sleep(5 * time.Millisecond)
	}
	var sessions []int
	for _, h := range tracked {
		sessions = append(sessions, h.visitor.session)
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		w.history.recordAll(sessions, "the bulk logout", func() result {
			if _, err := w.admin(http.MethodPost, bulkLogoutPath, allUsers); err != nil {
				return unknown // the server was killed
			}
			return accepted
		})
	}()
	if scenario == "slow commits, killed after the first" {
		w.awaitFirstRefusal(tracked)
		w.op.Kill()
		speedUp()
		w.mustLaunch()
		speedUp = slowDown()
	}
	asking.Wait()
	<-answered
	w.mustFinishBulkLogout()
	speedUp()
	for _, h := range tracked {
		h.visitor.look()
	}
	got := w.history.check()
	if !got.ok() {
		t.Errorf("got %v: %s", got, got.examples())
	}
	published := w.mustReports()
	margins := map[string][]time.Duration{}
	for _, h := range tracked {
		report, found := published[h.subject]
		if !found {
			t.Fatalf("a session of %s has no report", h.subject)
		}
		for _, one := range []struct {
			kind, client string
			observed     time.Time
		}{
			{"access_tokens", "ledger", h.ledgerTokens},
			{"access_tokens", "paper", h.paperTokens},
			{"client_session", "ledger", h.ledger},
			{"client_session", "paper", h.paper},
		} {
			if margin, known := report.margin(t, one.kind, one.client, one.observed); known {
				margins[one.client+" "+one.kind] = append(margins[one.client+" "+one.kind], margin)
			}
		}
	}
	for what, list := range margins {
		slices.Sort(list)
		if list[0] < 0 {
			t.Errorf("%s: got a published horizon %s before the observed one", what, -list[0])
		}
	}
	cached := margins["ledger access_tokens"]
	if len(cached) < n/2 {
		t.Fatalf(
			"got %d cached introspection answers of %d, want at least half: the test shows nothing",
			len(cached),
			n,
		)
	}
	expiring := slices.Concat(
		margins["paper access_tokens"],
		margins["ledger client_session"],
		margins["paper client_session"],
	)
	slices.Sort(expiring)
	row(
		t,
		"published − observed horizon, "+scenario,
		"%d sessions; %v; %d cached introspection answers: %.2f s (least), %.2f s (median), %d answers took over 1 s; %d JWTs and sessions with a bound: %.2f s (least), %.2f s (median)",
		n,
		got,
		len(cached),
		cached[0].Seconds(),
		cached[len(cached)/2].Seconds(),
		late.Load(),
		len(expiring),
		expiring[0].Seconds(),
		expiring[len(expiring)/2].Seconds(),
	)
}

// mustTrack signs that many users in at the first client, ledger and paper.
func (w *world) mustTrack(n int) []*trackedSession {
	w.t.Helper()
	tracked := make([]*trackedSession, n)
	var next atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && !w.t.Failed(); i = int(next.Add(1)) - 1 {
				h, err := w.hold(fmt.Sprintf("trackedSession%d", i))
				if err != nil {
					w.t.Error(err)
					return
				}
				tracked[i] = h
			}
		})
	}
	all.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
	return tracked
}

func (w *world) hold(user string) (*trackedSession, error) {
	body := map[string]any{"preferred_username": user, "password": password}
	if _, err := w.admin(http.MethodPost, "/users", body); err != nil {
		return nil, err
	}
	v := w.newVisitor()
	got := v.signIn(user)
	for client := range horizonClients {
		got = max(got, v.join(client))
	}
	if got != accepted || len(v.tokens) != 1+len(horizonClients) {
		return nil, fmt.Errorf("%s could not sign in at all clients", user)
	}
	ledger, paper := claimsOf(v.tokens["ledger"].id), claimsOf(v.tokens["paper"].access)
	if ledger.SessionExpiry == 0 || paper.Exp == 0 {
		return nil, fmt.Errorf("got session_expiry %d and exp %d, want both", ledger.SessionExpiry, paper.Exp)
	}
	return &trackedSession{
		visitor:     v,
		subject:     ledger.Sub,
		ledger:      time.Unix(ledger.SessionExpiry, 0).Add(skew),
		paperTokens: time.Unix(paper.Exp, 0).Add(skew),
		paper:       time.Unix(paper.Exp, 0).Add(skew),
	}, nil
}

// introspectUntilRefused starts the resource servers of ledger: they introspect each token again and again, keep each
// answer for cacheSeconds from its arrival, and stop when they have seen that all tokens are not active.
func (w *world) introspectUntilRefused(tracked []*trackedSession, late *atomic.Int64) *sync.WaitGroup {
	const servers = 6
	var all sync.WaitGroup
	for i := range servers {
		all.Go(func() {
			for left := len(tracked); left > 0 && !w.t.Failed(); {
				left = 0
				for j := i; j < len(tracked); j += servers {
					h := tracked[j]
					if h.asked {
						continue
					}
					left++
					sent := time.Now()
					got := h.visitor.introspect("ledger")
					switch arrived := time.Now(); {
					case got == refused:
						h.asked = true
					case got == accepted && arrived.Sub(sent) > answerAllowance:
						late.Add(1)
					case got == accepted:
						h.ledgerTokens = arrived.Add(cacheSeconds * time.Second)
					}
				}
			}
		})
	}
	return &all
}

// awaitFirstRefusal waits until the bulk logout is in force.
func (w *world) awaitFirstRefusal(tracked []*trackedSession) {
	for tracked[0].visitor.introspect("ledger") != refused {
		time.Sleep(5 * time.Millisecond)
	}
}

// mustFinishBulkLogout waits until all pages of the bulk logout are done.
func (w *world) mustFinishBulkLogout() {
	w.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var list struct {
			BulkLogouts []struct {
				Finished time.Time `json:"finished_at"`
			} `json:"bulk_logouts"`
		}
		text, err := w.admin(http.MethodGet, bulkLogoutPath, nil)
		if err == nil && json.Unmarshal(text, &list) == nil && len(list.BulkLogouts) == 1 &&
			!list.BulkLogouts[0].Finished.IsZero() {
			return
		}
	}
	w.t.Fatal("the bulk logout is not finished after three minutes")
}

// publishedReport is what a report says of an ended session.
type publishedReport struct {
	Sub     string `json:"sub"`
	Entries []struct {
		Kind      string    `json:"kind"`
		Client    string    `json:"client"`
		ExpiresAt time.Time `json:"expires_at"`
	} `json:"entries"`
}

// margin returns how long after the observed moment the published one lies; not known if none was observed.
func (r publishedReport) margin(
	t *testing.T,
	kind, client string,
	observed time.Time,
) (margin time.Duration, known bool) {
	t.Helper()
	if observed.IsZero() {
		return 0, false
	}
	for _, entry := range r.Entries {
		if entry.Kind == kind && entry.Client == client {
			if entry.ExpiresAt.IsZero() {
				t.Errorf("%s of %s: got no published horizon, want %s at the earliest", kind, client, observed)
			}
			return entry.ExpiresAt.Sub(observed), true
		}
	}
	t.Errorf("the report has no entry for %s of %s", kind, client)
	return 0, false
}

// mustReports reads all reports, by subject.
func (w *world) mustReports() map[string]publishedReport {
	w.t.Helper()
	all := map[string]publishedReport{}
	query := url.Values{"limit": {"500"}}
	for {
		var list struct {
			Reports []publishedReport `json:"reports"`
			Next    string            `json:"next"`
		}
		if err := json.Unmarshal(w.mustAdmin(http.MethodGet, "/reports?"+query.Encode(), nil), &list); err != nil {
			w.t.Fatal(err)
		}
		for _, report := range list.Reports {
			all[report.Sub] = report
		}
		if list.Next == "" {
			return all
		}
		query.Set("after", list.Next)
	}
}
