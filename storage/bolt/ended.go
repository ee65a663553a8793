package bolt

import (
	"slices"
	"strings"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// ended.go collects and removes what one session, share or grant takes along.

// endedSession collects a session, or the shares of it that end, with its grants.
func (e *ending) endedSession(n storage.Session, whole bool) storage.Ended {
	out := storage.Ended{Cause: e.cause, At: e.at, Session: n, Whole: whole, Clients: map[string]*storage.Client{}}
	if e.Overdue {
		out.Cause.Reason = n.ExpiryReason()
	}
	out.User, _ = e.user(n.Subject)
	for _, m := range n.Members {
		e.nameClient(&out, m.Client)
		out.Grants = append(out.Grants, e.boundGrants(n.ID, m.SID)...)
	}
	for client := range out.Clients {
		for _, g := range e.offlineGrants(n.Subject, client) {
			switch given := slices.ContainsFunc(n.Members, func(m storage.Member) bool { return m.SID == g.SID }); {
			case e.Offline && given:
				out.Grants = append(out.Grants, g)
			case !e.endsOffline(g) && e.unexpired(g, e.at) && !e.grantDead(g):
				out.Offline = append(out.Offline, g)
			}
		}
	}
	return out
}

// deadShares takes the shares out of a session that a mass ending under way had not come to yet. They ended by that and not by this: with a sid, a
// report and a delivery of their own, beside those of the shares that followed them.
func (e *ending) deadShares(n storage.Session) (rest storage.Session, dead []storage.Ended) {
	members := n.Members
	n.Members = nil
	for _, m := range members {
		by := slices.IndexFunc(e.memory.masses, func(other *mass) bool { return other.key != e.key && other.endsMember(n, m) })
		if by < 0 {
			n.Members = append(n.Members, m)
			continue
		}
		share := n
		share.Members = []storage.Member{m}
		out := e.endedSession(share, false)
		out.Cause, out.At = e.memory.masses[by].Cause, e.memory.masses[by].At
		dead = append(dead, out)
	}
	return n, dead
}

// endedGrant collects a grant that ends by itself. What a bound one gave stands with its membership.
func (e *ending) endedGrant(g storage.Grant) storage.Ended {
	if !g.Offline() {
		m, _ := load[storage.Member](e.tx, sessions, join(string(g.Session), g.SID))
		g.Trust.Extend(m.Trust)
	}
	out := storage.Ended{Cause: e.cause, At: e.at, Grants: []storage.Grant{g}, Clients: map[string]*storage.Client{}}
	out.User, _ = e.user(g.Subject)
	e.nameClient(&out, g.Client)
	return out
}

// nameClient adds a client as it is before the change.
func (e *ending) nameClient(out *storage.Ended, id string) {
	if c := e.memory.clients[id]; c != nil {
		out.Clients[id] = c
	}
}

// write applies the change, removes what ended, and stores what plan makes of it.
func (e *ending) write(plan func(storage.Ended) storage.Plan, now time.Time) {
	e.apply(e.change, e.at)
	var done storage.Count
	for _, ended := range e.ended {
		lines := e.audit(ended)
		e.remove(ended)
		if plan != nil {
			e.keep(plan(ended), lines)
		}
		done = add(done, count(ended, selection{}))
	}
	e.close(done, now)
}

// remove removes what ended.
func (e *ending) remove(ended storage.Ended) {
	for _, g := range ended.Grants {
		e.removeGrant(g)
	}
	if ended.Whole {
		e.removeSession(ended.Session)
		return
	}
	for _, m := range ended.Session.Members {
		e.removeMember(ended.Session.ID, m)
	}
}

// keep stores a plan.
func (e *ending) keep(p storage.Plan, lines []uint64) {
	var until time.Time
	if p.Report != nil {
		r := *p.Report
		r.Audit = append(slices.Clone(r.Audit), lines...)
		until = r.Keep
		e.addReport(r)
	}
	for _, d := range p.Deliveries {
		e.addDelivery(d, until)
	}
}

// close leaves the fence, or the mass ending that is the fence until it is finished.
func (e *ending) close(done storage.Count, now time.Time) {
	if e.over {
		return
	}
	if e.more && !e.Overdue {
		m := e.mass
		if m == nil {
			m = &mass{Ending: storage.Ending{Cause: e.cause, Selector: e.Selector, At: e.at}}
			for subject := range e.users {
				m.Users = append(m.Users, subject)
			}
		}
		e.progress(m, done, time.Time{})
		return
	}
	if e.mass != nil {
		e.progress(e.mass, done, now)
		e.expire(now.Add(endingKeep), expiryEnding, []byte(e.key))
	}
	e.putFences(e.selection, now)
}

// progress stores how far a mass ending has come.
func (e *ending) progress(m *mass, done storage.Count, finished time.Time) {
	next := &mass{Ending: m.Ending, Users: m.Users, Cursor: e.cursor}
	next.Done, next.Finished = add(m.Done, done), finished
	e.putMass(next.prepare([]byte(e.key)))
}

// audit writes a line for what ended, and one for each offline grant that it took along.
func (e *ending) audit(ended storage.Ended) (lines []uint64) {
	if n := ended.Session; n.ID != "" {
		line := storage.Event{
			At: ended.At, Kind: "membership.ended", Reason: ended.Cause.Reason, Cause: ended.Cause.ID, By: ended.Cause.By, Address: ended.Cause.Address,
			Subject: n.Subject, Session: storage.SessionHash(n.ID),
		}
		if ended.Whole {
			line.Kind, line.Client = "session.ended", ended.Cause.Client
			if len(n.Members) > 0 {
				line.Detail = map[string]string{"clients": memberClients(n)}
			}
		} else {
			line.Client = n.Members[0].Client
		}
		lines = append(lines, e.appendEvent(line))
	}
	for _, g := range ended.Grants {
		if g.Offline() || ended.Session.ID == "" {
			lines = append(lines, e.appendEvent(grantEnded(g, ended.Cause, ended.At)))
		}
	}
	return lines
}

func memberClients(n storage.Session) string {
	list := make([]string, len(n.Members))
	for i, m := range n.Members {
		list[i] = m.Client
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}

// count counts one ending. Offline grants that c ends by themselves are left out, since they are counted one by one.
func count(ended storage.Ended, c selection) (n storage.Count) {
	if ended.Whole {
		n.Sessions = 1
	}
	n.Members = len(ended.Session.Members)
	for _, m := range ended.Session.Members {
		if client := ended.Clients[m.Client]; client != nil && client.BackchannelLogoutURI != "" {
			n.Deliveries++
		}
	}
	for _, g := range ended.Grants {
		if !g.Offline() || !c.endsOffline(g) {
			n.Grants++
		}
	}
	return n
}

func add(a, b storage.Count) storage.Count {
	return storage.Count{
		Sessions: a.Sessions + b.Sessions, Members: a.Members + b.Members,
		Deliveries: a.Deliveries + b.Deliveries, Grants: a.Grants + b.Grants,
	}
}
