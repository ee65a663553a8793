package bolt

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// CreateSession implements storage.Sessions.
func (s *Store) CreateSession(ctx context.Context, n storage.Session, e storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		if err := t.checkSession(&n); err != nil {
			return fmt.Errorf("create session: %w", err)
		}
		if t.fencedOff(n) {
			return fmt.Errorf("create session: %w", storage.ErrEnded)
		}
		t.addSession(n)
		t.appendEvent(e)
		return nil
	})
}

// Reauthenticate implements storage.Sessions.
func (s *Store) Reauthenticate(ctx context.Context, id storage.SessionID, a storage.Authentication, at time.Time, e storage.Event) (storage.Session, error) {
	at = milli(at)
	return write(ctx, s, func(t *tx) (storage.Session, error) {
		n, ok := t.liveSession(id, at)
		if !ok || !t.enabled(n.Subject) {
			return n, fmt.Errorf("reauthenticate: %w", storage.ErrEnded)
		}
		if holder := t.get(secrets, a.Secret[:]); holder != nil && string(holder) != string(id) {
			return n, fmt.Errorf("reauthenticate: %w", storage.ErrExists)
		}
		before := n
		n.Secret, n.AuthTime, n.AMR, n.ACR = a.Secret, milli(a.AuthTime), a.AMR, a.ACR
		n.Keep, n.Idle, n.Expires = a.Keep, a.Idle, milli(a.Expires)
		n.UserAgent, n.Address, n.LastActive = a.UserAgent, a.Address, at
		t.delete(secrets, before.Secret[:])
		t.put(secrets, n.Secret[:], []byte(id))
		t.putSession(n, before.Deadline())
		t.appendEvent(e)
		return n, nil
	})
}

// SessionBySecret implements storage.Sessions.
func (s *Store) SessionBySecret(ctx context.Context, secret storage.Hash, at time.Time) (storage.Session, error) {
	return read(ctx, s, func(t *tx) (storage.Session, error) {
		if n, ok := t.liveSession(storage.SessionID(t.get(secrets, secret[:])), at); ok {
			return n, nil
		}
		return storage.Session{}, fmt.Errorf("find session of a cookie: %w", storage.ErrNotFound)
	})
}

// Session implements storage.Sessions.
func (s *Store) Session(ctx context.Context, id storage.SessionID, at time.Time) (storage.Session, error) {
	return read(ctx, s, func(t *tx) (storage.Session, error) {
		if n, ok := t.liveSession(id, at); ok {
			return n, nil
		}
		return storage.Session{}, fmt.Errorf("find session: %w", storage.ErrNotFound)
	})
}

// SessionBySID implements storage.Sessions.
func (s *Store) SessionBySID(ctx context.Context, sid string, at time.Time) (n storage.Session, m storage.Member, err error) {
	err = s.view(ctx, func(t *tx) error {
		var ok bool
		if n, ok = t.liveSession(storage.SessionID(t.get(sids, []byte(sid))), at); ok {
			for _, m = range n.Members {
				if m.SID == sid {
					return nil
				}
			}
		}
		return fmt.Errorf("find session by sid: %w", storage.ErrNotFound)
	})
	if err != nil {
		return storage.Session{}, storage.Member{}, err
	}
	return n, m, nil
}

// Touch implements storage.Sessions. It looks first, because mostly there is nothing to write.
func (s *Store) Touch(ctx context.Context, id storage.SessionID, at time.Time) error {
	at = milli(at)
	stale := func(t *tx) (storage.Session, bool) {
		n, ok := t.sessionRecord(id)
		return n, ok && t.alive(n, at) && at.Sub(n.LastActive) >= storage.ActivityStep
	}
	due, err := read(ctx, s, func(t *tx) (bool, error) {
		_, due := stale(t)
		return due, nil
	})
	if err != nil || !due {
		return err
	}
	return s.update(ctx, func(t *tx) error {
		if n, due := stale(t); due {
			t.touch(&n, at)
		}
		return nil
	})
}

// ListSessions implements storage.Sessions.
func (s *Store) ListSessions(ctx context.Context, sel storage.Selector, at time.Time, p storage.Page) ([]storage.Session, string, error) {
	c := selection{Selector: sel, at: endOfTime}
	walk := func(t *tx, after []byte) iter.Seq2[[]byte, storage.SessionID] { return t.candidates(c, after) }
	return list(ctx, s, p, walk, func(t *tx, _ []byte, id storage.SessionID) (storage.Session, bool) {
		n, ok := t.liveSession(id, at)
		return n, ok && c.takesSession(n) && (sel.Client == "" || n.Member(sel.Client) != nil)
	})
}

// CountSessions implements storage.Sessions.
func (s *Store) CountSessions(ctx context.Context) (int, error) {
	return read(ctx, s, func(t *tx) (int, error) { return int(t.bucket(sessions).Sequence()), nil })
}

// sessionRecord reads a session without its members.
func (t *tx) sessionRecord(id storage.SessionID) (storage.Session, bool) {
	return load[storage.Session](t, sessions, []byte(id))
}

// membersOf reads who joined a session, in the order of joining.
func (t *tx) membersOf(id storage.SessionID) (list []storage.Member) {
	prefix := within(string(id))
	c := t.bucket(sessions).Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); {
		if end := bytes.IndexByte(k[len(prefix):], 0); end >= 0 {
			// The place of a grant. A share may have very many, so they are passed over together.
			k, v = c.Seek(append(bytes.Clone(k[:len(prefix)+end]), 1))
			continue
		}
		if m, ok := decode[storage.Member](t, sessions, v); ok {
			list = append(list, m)
		}
		k, v = c.Next()
	}
	slices.SortStableFunc(list, func(a, b storage.Member) int {
		return cmp.Or(a.Joined.Compare(b.Joined), cmp.Compare(a.Client, b.Client))
	})
	return list
}

// liveSession reads a session that counts at that moment, with the members that count.
func (t *tx) liveSession(id storage.SessionID, at time.Time) (storage.Session, bool) {
	n, ok := t.sessionRecord(id)
	if !ok || !t.alive(n, at) {
		return storage.Session{}, false
	}
	n.Members = slices.DeleteFunc(t.membersOf(id), func(m storage.Member) bool { return t.memberDead(n, m) })
	return n, true
}

// alive tells whether a session is neither past its deadline nor part of a mass ending under way.
func (t *tx) alive(n storage.Session, at time.Time) bool {
	return at.Before(n.Deadline()) && !t.sessionDead(n)
}

// checkSession tells whether n may be created, and normalises it.
func (t *tx) checkSession(n *storage.Session) error {
	if n.ID == "" || strings.ContainsRune(string(n.ID), 0) {
		return fmt.Errorf("a session needs an id without NUL")
	}
	n.AuthTime, n.Created = milli(n.AuthTime), milli(n.Created)
	n.LastActive, n.Expires = milli(n.LastActive), milli(n.Expires)
	switch {
	case t.get(sessions, []byte(n.ID)) != nil || t.get(secrets, n.Secret[:]) != nil:
		return storage.ErrExists
	case !t.enabled(n.Subject):
		return storage.ErrEnded
	}
	for _, m := range n.Members {
		if !t.freeSID(m.SID) {
			return fmt.Errorf("sid of a member: %w", storage.ErrExists)
		}
	}
	return nil
}

// addSession stores a new session, which was checked.
func (t *tx) addSession(n storage.Session) {
	t.put(secrets, n.Secret[:], []byte(n.ID))
	t.put(userSessions, join(n.Subject, string(n.ID)), nil)
	t.putSession(n, time.Time{})
	for _, m := range n.Members {
		t.putMember(n.ID, m, true)
	}
	t.countSessions(1)
}

// putSession stores a session's own record and its place in the order of deadlines, where it stood at before.
func (t *tx) putSession(n storage.Session, before time.Time) {
	if d := n.Deadline(); !d.Equal(before) {
		if !before.IsZero() {
			t.delete(deadlines, timeKey(before, []byte(n.ID)...))
		}
		t.put(deadlines, timeKey(d, []byte(n.ID)...), nil)
	}
	n.Members = nil
	t.store(sessions, []byte(n.ID), n)
}

// touch notes that a session was used.
func (t *tx) touch(n *storage.Session, at time.Time) {
	before := n.Deadline()
	n.LastActive = at
	t.putSession(*n, before)
}

// putMember stores a relying party's share.
func (t *tx) putMember(id storage.SessionID, m storage.Member, joins bool) {
	m.Began, m.Joined, m.LastUsed = milli(m.Began), milli(m.Joined), milli(m.LastUsed)
	m.Trust = milliTrust(m.Trust)
	t.store(sessions, join(string(id), m.SID), m)
	if joins {
		t.put(sids, []byte(m.SID), []byte(id))
		t.put(clientSessions, join(m.Client, string(id), m.SID), nil)
	}
}

// freeSID tells whether a new member may have a sid.
func (t *tx) freeSID(sid string) bool {
	return sid != "" && !strings.ContainsRune(sid, 0) && t.get(sids, []byte(sid)) == nil
}

// removeMember removes a relying party's share.
func (t *tx) removeMember(id storage.SessionID, m storage.Member) {
	t.delete(sessions, join(string(id), m.SID))
	t.discardMember(id, m)
}

// removeSession removes a session with its members; only an ending calls it.
func (t *tx) removeSession(n storage.Session) {
	for _, m := range n.Members {
		t.removeMember(n.ID, m)
	}
	t.delete(sessions, []byte(n.ID))
	t.delete(secrets, n.Secret[:])
	t.delete(userSessions, join(n.Subject, string(n.ID)))
	t.delete(deadlines, timeKey(n.Deadline(), []byte(n.ID)...))
	t.countSessions(-1)
}

// countSessions keeps count in the bucket's own header, which is written anyway.
func (t *tx) countSessions(by int) {
	b := t.bucket(sessions)
	if err := b.SetSequence(uint64(int(b.Sequence()) + by)); err != nil {
		t.fail(fmt.Errorf("count sessions: %w", err))
	}
}

// milliTrust is o in whole milliseconds.
func milliTrust(o storage.Trust) storage.Trust {
	o.Opaque, o.JWT, o.IDToken, o.Lease, o.Issued = milli(o.Opaque), milli(o.JWT), milli(o.IDToken), milli(o.Lease), milli(o.Issued)
	return o
}
