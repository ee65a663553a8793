package bolt

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// mass is a mass ending. While it is under way it is the fence itself: every read and every code asks it. When it is
// finished, nothing of its scope is left to read, and a fence keeps out the codes that were issued before.
type mass struct {
	storage.Ending
	Users  []string `json:"users,omitempty"`  // selection.users
	Cursor []byte   `json:"cursor,omitempty"` // how far its sessions have been ended
	key    string
	selection
}

// massKey names a mass ending by what its callers call again with.
func massKey(c selection, cause storage.Cause) (string, error) {
	text, err := json.Marshal(c.Selector)
	if err != nil {
		return "", fmt.Errorf("encode selector: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(text, " %d", c.at.UnixMilli()))
	return string(join(cause.ID, hex.EncodeToString(sum[:8]))), nil
}

// prepare sets what is not stored.
func (m *mass) prepare(key []byte) *mass {
	m.key = string(key)
	m.selection = selection{Selector: m.Ending.Selector, at: m.At, users: map[string]bool{}}
	for _, subject := range m.Users {
		m.users[subject] = true
	}
	return m
}

// putMass stores a mass ending; memory has those that are under way.
func (t *tx) putMass(m *mass) {
	t.store(endings, []byte(m.key), m)
	next := t.change()
	next.masses = slices.DeleteFunc(next.masses, func(other *mass) bool { return other.key == m.key })
	if m.Finished.IsZero() {
		next.masses = append(next.masses, m)
	}
}

// sessionDead tells whether a mass ending under way takes a session.
func (t *tx) sessionDead(n storage.Session) bool {
	return slices.ContainsFunc(t.memory.masses, func(m *mass) bool { return m.endsSession(n) })
}

// memberDead tells whether a mass ending under way takes a relying party's share.
func (t *tx) memberDead(n storage.Session, share storage.Member) bool {
	return slices.ContainsFunc(t.memory.masses, func(m *mass) bool { return m.endsMember(n, share) })
}

// grantDead tells whether a mass ending under way takes a grant, by itself or with the membership it was given to.
func (t *tx) grantDead(g storage.Grant) bool {
	if len(t.memory.masses) == 0 {
		return false
	}
	n, share, member := t.holder(g.SID)
	if !g.Offline() && !member {
		return true
	}
	return slices.ContainsFunc(t.memory.masses, func(m *mass) bool {
		return m.endsOffline(g) && g.Offline() ||
			member && (m.Offline || !g.Offline()) && (m.endsSession(n) || m.endsMember(n, share))
	})
}

// sidDead tells whether a membership has ended or a mass ending under way takes it.
func (t *tx) sidDead(sid string) bool {
	if len(t.memory.masses) == 0 {
		id := t.get(sids, []byte(sid))
		return id == nil || t.get(sessions, join(string(id), sid)) == nil
	}
	n, share, ok := t.holder(sid)
	return !ok || t.sessionDead(n) || t.memberDead(n, share)
}

// holder finds the session and the membership of a sid.
func (t *tx) holder(sid string) (n storage.Session, m storage.Member, ok bool) {
	id := storage.SessionID(t.get(sids, []byte(sid)))
	if id == "" {
		return n, m, false
	}
	if n, ok = t.sessionRecord(id); ok {
		m, ok = load[storage.Member](t, sessions, join(string(id), sid))
	}
	return n, m, ok
}

// fence keeps out what comes from before an ending: "nothing of this scope from at or before At counts".
type fence struct {
	At     time.Time         `json:"at"`
	Until  time.Time         `json:"until"`
	Except storage.SessionID `json:"except,omitempty"`
}

// The scopes of fences. Codes of an ended session need none: their session is gone and its id never comes again.
func fenceEveryone() []byte                    { return []byte("everyone") }
func fenceUser(subject string) []byte          { return join("user", subject) }
func fenceClient(client string) []byte         { return join("client", client) }
func fenceShare(subject, client string) []byte { return join("share", subject, client) }
func fenceMember(id storage.SessionID, client string) []byte {
	return join("member", string(id), client)
}

// clientFenceLife is how long the fence of a client's ending everywhere is kept: longer than the tokens live that it has
// without any session (client_credentials).
const clientFenceLife = 30 * 24 * time.Hour

// putFences leaves what a finished ending needs.
func (t *tx) putFences(c selection, now time.Time) {
	var scopes [][]byte
	until := now.Add(storage.FenceLife)
	switch {
	case c.Grant != "" || c.Overdue || c.OfflineOnly:
		return
	case c.Client != "" && len(c.Sessions) > 0:
		for _, id := range c.Sessions {
			scopes = append(scopes, fenceMember(id, c.Client))
		}
	case len(c.Sessions) > 0:
		return
	case c.Client != "" && c.Subject != "":
		scopes = [][]byte{fenceShare(c.Subject, c.Client)}
	case c.Client != "":
		scopes, until = [][]byte{fenceClient(c.Client)}, now.Add(clientFenceLife)
	case c.Subject != "":
		scopes = [][]byte{fenceUser(c.Subject)}
	case c.Everyone:
		scopes = [][]byte{fenceEveryone()}
	}
	f := fence{At: c.at, Until: until, Except: c.Except}
	for _, scope := range scopes {
		t.putFence(scope, f)
	}
}

// putFence leaves a fence and drops those that it makes needless.
func (t *tx) putFence(scope []byte, f fence) {
	list, _ := load[[]fence](t, fences, scope)
	list = slices.DeleteFunc(list, func(old fence) bool {
		return !old.At.After(f.At) && (f.Except == "" || old.Except == f.Except)
	})
	t.store(fences, scope, append(list, f))
	t.expire(f.Until, expiryFence, scope)
}

// codeDead tells whether an ending of a relying party's share keeps out a code of a living session.
func (t *tx) codeDead(n storage.Session, code storage.Code) bool {
	asked := storage.Member{Client: code.Client, Began: code.Issued}
	if t.memberDead(n, asked) {
		return true
	}
	for _, scope := range [][]byte{fenceMember(n.ID, code.Client), fenceShare(n.Subject, code.Client), fenceClient(code.Client)} {
		if t.fenced(scope, n.ID, code.Issued) {
			return true
		}
	}
	return false
}

// fenced tells whether a fence of a scope keeps out what was issued then in a session.
func (t *tx) fenced(scope []byte, id storage.SessionID, issued time.Time) bool {
	list, _ := load[[]fence](t, fences, scope)
	return slices.ContainsFunc(list, func(f fence) bool { return (id == "" || f.Except != id) && !issued.After(f.At) })
}

// ownTokenDead tells whether a token that a client has without any session is from before an ending of the client
// everywhere.
func (t *tx) ownTokenDead(client string, issued time.Time) bool {
	return t.fenced(fenceClient(client), "", issued) || slices.ContainsFunc(t.memory.masses, func(m *mass) bool {
		return m.everywhere() && !m.OfflineOnly && m.selection.Client == client && !issued.After(m.selection.at)
	})
}

// fencedOff tells whether a session that is about to begin belongs to what an ending has ended meanwhile. One of the
// ending's own millisecond begins after it unless that ending is still under way; an ending from the future was dated by a clock that was put
// back since, and nobody is kept out until it catches up.
func (t *tx) fencedOff(n storage.Session) bool {
	if t.sessionDead(n) {
		return true
	}
	for _, scope := range [][]byte{fenceUser(n.Subject), fenceEveryone()} {
		list, _ := load[[]fence](t, fences, scope)
		if slices.ContainsFunc(list, func(f fence) bool { return n.Created.Before(f.At) && !f.At.After(n.Created.Add(storage.ClockStep)) }) {
			return true
		}
	}
	return false
}
