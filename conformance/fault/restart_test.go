package fault

import (
	"fmt"
	"net/http"
	"time"
)

// tryLaunch is mustLaunch for a server that may not start.
func (w *world) tryLaunch() (ready time.Duration, started bool) {
	start := time.Now()
	if err := w.op.Launch(); err != nil {
		w.t.Fatal(err)
	}
	for time.Since(start) < 20*time.Second {
		if response, err := w.http().Get(w.op.Issuer + "/readyz"); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return time.Since(start), true
			}
		}
		if !w.op.Running() {
			return 0, false
		}
		time.Sleep(2 * time.Millisecond)
	}
	return 0, false
}

// bulkLogoutPath is the administrators' route that ends many sessions at once.
const bulkLogoutPath = "/logouts"

// allUsers is its request for all sessions.
var allUsers = map[string]any{"all_users": true}

// endAll ends all sessions of all users by one request for each user.
func (w *world) endAll(c *crowd) {
	for _, user := range w.users {
		end := func() result {
			if _, err := w.admin(http.MethodPost, bulkLogoutPath, map[string]any{"user": user}); err != nil {
				return unknown
			}
			return accepted
		}
		w.history.recordAll(c.of(user), "the end of all sessions", end)
	}
}

// ends returns the sid of each client's session whose end was acknowledged, and of those whose end was never asked for.
func ends(crowds []*crowd, h *history) (acknowledged, untouched map[string]string) {
	acknowledged, untouched = map[string]string{}, map[string]string{}
	h.mu.Lock()
	defer h.mu.Unlock()
	ended, asked := map[int]bool{}, map[int]bool{}
	for _, o := range h.operations {
		if o.kind == end {
			asked[o.session] = true
			ended[o.session] = ended[o.session] || o.result == accepted
		}
	}
	for _, c := range crowds {
		for _, v := range c.visitors {
			for client, set := range v.tokens {
				name := fmt.Sprintf("session %d at %s", v.session, client)
				if set.sid == "" {
					continue
				}
				if ended[v.session] {
					acknowledged[set.sid] = name
				} else if !asked[v.session] {
					untouched[set.sid] = name
				}
			}
		}
	}
	return acknowledged, untouched
}

// mustNotifyAll waits until every client of an acknowledged end has its logout token, and checks that no active
// session got one. It returns how many were sent, and how many of them were duplicates beyond the second one that a
// client that joined just before the end gets.
func (w *world) mustNotifyAll(crowds []*crowd) (sent, duplicates int) {
	w.t.Helper()
	sent, duplicates, missing := w.notifyAll(crowds, time.Minute)
	if len(missing) > 0 {
		pending, err := w.op.Run(w.t.Context(), "", "logout", "deliveries", "--state", "pending", "-o", "json")
		w.t.Errorf(
			"%d clients got no logout token within a minute, such as %s; pending: %s (%v)",
			len(missing),
			missing[0],
			tail(pending, 1500),
			err,
		)
	}
	return sent, duplicates
}

// notifyAll is mustNotifyAll that waits that long and names the clients that had no logout token by then.
func (w *world) notifyAll(crowds []*crowd, patience time.Duration) (sent, duplicates int, missing []string) {
	w.t.Helper()
	acknowledged, untouched := ends(crowds, w.history)
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		missing = nil
		got := w.parties.bySID()
		for sid, name := range acknowledged {
			if got[sid] == 0 {
				missing = append(missing, name)
			}
		}
		if len(missing) == 0 || time.Now().After(deadline) {
			break
		}
	}
	for sid, n := range w.parties.bySID() {
		if name, ok := untouched[sid]; ok {
			w.t.Errorf("%s got a logout token, and no user signed out there", name)
		}
		sent += n
		duplicates += max(0, n-2)
	}
	return sent, duplicates, missing
}
