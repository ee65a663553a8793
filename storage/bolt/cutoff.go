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

// bulkLogout is a mass ending. While it is under way it is the fence itself: every read and every code asks it. When it is
// finished, nothing of its scope is left to read, and a fence keeps out the codes that were issued before.
type bulkLogout struct {
	storage.BulkLogout
	Users  []string `json:"users,omitempty"`  // selection.users
	Cursor []byte   `json:"cursor,omitempty"` // how far its sessions have been ended
	key    string
	selection
}

// bulkLogoutKey names a mass ending by what its callers call again with.
func bulkLogoutKey(sel selection, cause storage.Cause) (string, error) {
	text, err := json.Marshal(sel.Selector)
	if err != nil {
		return "", fmt.Errorf("encode selector: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(text, " %d", sel.asOf.UnixMilli()))
	return string(joinKey(cause.ID, hex.EncodeToString(sum[:8]))), nil
}

// restore sets what is not stored.
func (bulk *bulkLogout) restore(key []byte) *bulkLogout {
	bulk.key = string(key)
	bulk.selection = selection{Selector: bulk.BulkLogout.Selector, asOf: bulk.StartedAt, offlineUsers: map[string]bool{}}
	for _, subject := range bulk.Users {
		bulk.offlineUsers[subject] = true
	}
	return bulk
}

// putBulkLogout stores a mass ending; memory has those that are under way.
func (t *tx) putBulkLogout(bulk *bulkLogout) {
	t.store(bulkLogouts, []byte(bulk.key), bulk)
	next := t.changeCache()
	next.bulkLogouts = slices.DeleteFunc(next.bulkLogouts, func(other *bulkLogout) bool { return other.key == bulk.key })
	if bulk.Finished.IsZero() {
		next.bulkLogouts = append(next.bulkLogouts, bulk)
	}
}

// sessionRevoked tells whether a mass ending under way takes a session.
func (t *tx) sessionRevoked(session storage.Session) bool {
	return slices.ContainsFunc(t.cache.bulkLogouts, func(bulk *bulkLogout) bool { return bulk.endsSession(session) })
}

// clientSessionRevoked tells whether a mass ending under way takes a relying party's share.
func (t *tx) clientSessionRevoked(session storage.Session, cs storage.ClientSession) bool {
	return slices.ContainsFunc(t.cache.bulkLogouts, func(bulk *bulkLogout) bool { return bulk.endsClientSession(session, cs) })
}

// grantRevoked tells whether a mass ending under way takes a grant, by itself or with the membership it was given to.
func (t *tx) grantRevoked(g storage.Grant) bool {
	if len(t.cache.bulkLogouts) == 0 {
		return false
	}
	session, cs, joined := t.clientSessionBySID(g.SID)
	if !g.Offline() && !joined {
		return true
	}
	return slices.ContainsFunc(t.cache.bulkLogouts, func(bulk *bulkLogout) bool {
		return bulk.endsOfflineGrant(g) && g.Offline() ||
			joined && (bulk.IncludeOffline || !g.Offline()) && (bulk.endsSession(session) || bulk.endsClientSession(session, cs))
	})
}

// sidRevoked tells whether a membership has ended or a mass ending under way takes it.
func (t *tx) sidRevoked(sid string) bool {
	if len(t.cache.bulkLogouts) == 0 {
		id := t.get(sessionsBySID, []byte(sid))
		return id == nil || t.get(sessions, joinKey(string(id), sid)) == nil
	}
	session, cs, ok := t.clientSessionBySID(sid)
	return !ok || t.sessionRevoked(session) || t.clientSessionRevoked(session, cs)
}

// clientSessionBySID finds the session and the membership of a sid.
func (t *tx) clientSessionBySID(sid string) (session storage.Session, cs storage.ClientSession, ok bool) {
	id := storage.SessionID(t.get(sessionsBySID, []byte(sid)))
	if id == "" {
		return session, cs, false
	}
	if session, ok = t.sessionRecord(id); ok {
		cs, ok = load[storage.ClientSession](t, sessions, joinKey(string(id), sid))
	}
	return session, cs, ok
}

// cutoff keeps out what comes from before an ending: "nothing of this scope from at or before At counts".
type cutoff struct {
	At        time.Time         `json:"at"`
	ExpiresAt time.Time         `json:"until"`
	Except    storage.SessionID `json:"except,omitempty"`
}

// The scopes of fences. Codes of an ended session need none: their session is gone and its id never comes again.
func allUsersCutoffKey() []byte                         { return []byte("everyone") }
func userCutoffKey(subject string) []byte               { return joinKey("user", subject) }
func clientCutoffKey(client string) []byte              { return joinKey("client", client) }
func userClientCutoffKey(subject, client string) []byte { return joinKey("share", subject, client) }
func clientSessionCutoffKey(id storage.SessionID, client string) []byte {
	return joinKey("member", string(id), client)
}

// clientCutoffLifetime is how long the fence of a client's ending everywhere is kept: longer than the tokens live that it has
// without any session (client_credentials).
const clientCutoffLifetime = 30 * 24 * time.Hour

// putCutoffs leaves what a finished ending needs.
func (t *tx) putCutoffs(sel selection, now time.Time) {
	var keys [][]byte
	until := now.Add(storage.CutoffLifetime)
	switch {
	case sel.Grant != "" || sel.Expired || sel.OfflineOnly:
		return
	case sel.Client != "" && len(sel.Sessions) > 0:
		for _, id := range sel.Sessions {
			keys = append(keys, clientSessionCutoffKey(id, sel.Client))
		}
	case len(sel.Sessions) > 0:
		return
	case sel.Client != "" && sel.Subject != "":
		keys = [][]byte{userClientCutoffKey(sel.Subject, sel.Client)}
	case sel.Client != "":
		keys, until = [][]byte{clientCutoffKey(sel.Client)}, now.Add(clientCutoffLifetime)
	case sel.Subject != "":
		keys = [][]byte{userCutoffKey(sel.Subject)}
	case sel.AllUsers:
		keys = [][]byte{allUsersCutoffKey()}
	}
	c := cutoff{At: sel.asOf, ExpiresAt: until, Except: sel.Except}
	for _, key := range keys {
		t.putCutoff(key, c)
	}
}

// putCutoff leaves a fence and drops those that it makes needless.
func (t *tx) putCutoff(key []byte, c cutoff) {
	list, _ := load[[]cutoff](t, cutoffs, key)
	list = slices.DeleteFunc(list, func(old cutoff) bool {
		return !old.At.After(c.At) && (c.Except == "" || old.Except == c.Except)
	})
	t.store(cutoffs, key, append(list, c))
	t.scheduleExpiry(c.ExpiresAt, expiryCutoff, key)
}

// codeRevoked tells whether an ending of a relying party's share keeps out a code of a living session.
func (t *tx) codeRevoked(session storage.Session, code storage.Code) bool {
	joining := storage.ClientSession{Client: code.Client, CodeIssued: code.Issued}
	if t.clientSessionRevoked(session, joining) {
		return true
	}
	for _, key := range [][]byte{clientSessionCutoffKey(session.ID, code.Client), userClientCutoffKey(session.Subject, code.Client), clientCutoffKey(code.Client)} {
		if t.issuedBeforeCutoff(key, session.ID, code.Issued) {
			return true
		}
	}
	return false
}

// issuedBeforeCutoff tells whether a fence of a scope keeps out what was issued then in a session.
func (t *tx) issuedBeforeCutoff(key []byte, id storage.SessionID, issued time.Time) bool {
	list, _ := load[[]cutoff](t, cutoffs, key)
	return slices.ContainsFunc(list, func(c cutoff) bool { return (id == "" || c.Except != id) && !issued.After(c.At) })
}

// clientTokenRevoked tells whether a token that a client has without any session is from before an ending of the client
// everywhere.
func (t *tx) clientTokenRevoked(client string, issued time.Time) bool {
	return t.issuedBeforeCutoff(clientCutoffKey(client), "", issued) || slices.ContainsFunc(t.cache.bulkLogouts, func(bulk *bulkLogout) bool {
		return bulk.spansAllUsers() && !bulk.OfflineOnly && bulk.selection.Client == client && !issued.After(bulk.selection.asOf)
	})
}

// newSessionRevoked tells whether a session that is about to begin belongs to what an ending has ended meanwhile. One of the
// ending's own millisecond begins after it unless that ending is still under way; an ending from the future was dated by a clock that was put
// back since, and nobody is kept out until it catches up.
func (t *tx) newSessionRevoked(session storage.Session) bool {
	if t.sessionRevoked(session) {
		return true
	}
	for _, key := range [][]byte{userCutoffKey(session.Subject), allUsersCutoffKey()} {
		list, _ := load[[]cutoff](t, cutoffs, key)
		if slices.ContainsFunc(list, func(c cutoff) bool {
			return session.Created.Before(c.At) && !c.At.After(session.Created.Add(storage.ClockStep))
		}) {
			return true
		}
	}
	return false
}
