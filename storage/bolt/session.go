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
func (s *Store) CreateSession(ctx context.Context, session storage.Session, e storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		if err := t.checkSession(&session); err != nil {
			return fmt.Errorf("create session: %w", err)
		}
		if t.newSessionRevoked(session) {
			return fmt.Errorf("create session: %w", storage.ErrRevoked)
		}
		t.addSession(session)
		t.appendEvent(e)
		return nil
	})
}

// Reauthenticate implements storage.Sessions.
func (s *Store) Reauthenticate(
	ctx context.Context,
	id storage.SessionID,
	a storage.Authentication,
	at time.Time,
	e storage.Event,
) (storage.Session, error) {
	at = truncateToMillis(at)
	return write(ctx, s, func(t *tx) (storage.Session, error) {
		session, ok := t.activeSession(id, at)
		if !ok || !t.userEnabled(session.Subject) {
			return session, fmt.Errorf("reauthenticate: %w", storage.ErrRevoked)
		}
		if owner := t.get(sessionsBySecret, a.SecretHash[:]); owner != nil && string(owner) != string(id) {
			return session, fmt.Errorf("reauthenticate: %w", storage.ErrExists)
		}
		if t.cutOff(a.Upstream.CutoffScopes(), "", a.Sequence) {
			return session, fmt.Errorf("reauthenticate: %w", storage.ErrRevoked)
		}
		before := session
		truncateTimes(&a.AuthTime, &a.Expires, &a.Upstream.Expires)
		session = session.Reauthenticated(a, at)
		t.unindexUpstream(before)
		t.indexUpstream(session)
		t.delete(sessionsBySecret, before.SecretHash[:])
		t.put(sessionsBySecret, session.SecretHash[:], []byte(id))
		t.putSession(session, before.Deadline())
		t.appendEvent(e)
		return session, nil
	})
}

// SessionBySecret implements storage.Sessions.
func (s *Store) SessionBySecret(ctx context.Context, secret storage.Hash, at time.Time) (storage.Session, error) {
	return read(ctx, s, func(t *tx) (storage.Session, error) {
		id := storage.SessionID(t.get(sessionsBySecret, secret[:]))
		if session, ok := t.activeSession(id, at); ok {
			return session, nil
		}
		return storage.Session{}, fmt.Errorf("find session of a cookie: %w", storage.ErrNotFound)
	})
}

// Session implements storage.Sessions.
func (s *Store) Session(ctx context.Context, id storage.SessionID, at time.Time) (storage.Session, error) {
	return read(ctx, s, func(t *tx) (storage.Session, error) {
		if session, ok := t.activeSession(id, at); ok {
			return session, nil
		}
		return storage.Session{}, fmt.Errorf("find session: %w", storage.ErrNotFound)
	})
}

// SessionBySID implements storage.Sessions.
func (s *Store) SessionBySID(
	ctx context.Context,
	sid string,
	at time.Time,
) (session storage.Session, cs storage.ClientSession, err error) {
	err = s.view(ctx, func(t *tx) error {
		id := storage.SessionID(t.get(sessionsBySID, []byte(sid)))
		session, _ = t.activeSession(id, at)
		for _, cs = range session.ClientSessions {
			if cs.SID == sid {
				return nil
			}
		}
		return fmt.Errorf("find session by sid: %w", storage.ErrNotFound)
	})
	if err != nil {
		return storage.Session{}, storage.ClientSession{}, err
	}
	return session, cs, nil
}

// Touch implements storage.Sessions. It checks in a read transaction first, because most calls need no write.
func (s *Store) Touch(ctx context.Context, id storage.SessionID, at time.Time) error {
	at = truncateToMillis(at)
	findTouchable := func(t *tx) (session storage.Session, needsTouch bool) {
		session, ok := t.sessionRecord(id)
		return session, ok && t.sessionActive(session, at) && session.NeedsTouch(at)
	}
	needsTouch, err := find(ctx, s, func(t *tx) (bool, error) {
		_, needsTouch := findTouchable(t)
		return needsTouch, nil
	})
	if err != nil || !needsTouch {
		return err
	}
	return s.update(ctx, func(t *tx) error {
		if session, needsTouch := findTouchable(t); needsTouch {
			t.touch(&session, at)
		}
		return nil
	})
}

// ListSessions implements storage.Sessions.
func (s *Store) ListSessions(
	ctx context.Context,
	sel storage.Selector,
	at time.Time,
	p storage.Page,
) ([]storage.Session, string, error) {
	selected := storage.Selection{Selector: sel}
	walk := func(t *tx, after []byte) iter.Seq2[[]byte, storage.SessionID] {
		return t.sessionCandidates(selected, after)
	}
	return list(ctx, s, p, walk, func(t *tx, _ []byte, id storage.SessionID) (storage.Session, bool) {
		session, ok := t.activeSession(id, at)
		clientMatches := sel.Client == "" || session.ClientSession(sel.Client) != nil
		return session, ok && selected.IncludesSession(session) && clientMatches
	})
}

// CountSessions implements storage.Sessions.
func (s *Store) CountSessions(ctx context.Context) (int, error) {
	return read(ctx, s, func(t *tx) (int, error) { return int(t.bucket(sessions).Sequence()), nil })
}

// sessionRecord reads a session without its client sessions.
func (t *tx) sessionRecord(id storage.SessionID) (storage.Session, bool) {
	return load[storage.Session](t, sessions, []byte(id))
}

// clientSessionsOf reads the client sessions of a session, in the order in which the clients joined.
func (t *tx) clientSessionsOf(id storage.SessionID) (list []storage.ClientSession) {
	prefix := keyPrefix(string(id))
	c := t.bucket(sessions).Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); {
		if sidEnd := bytes.IndexByte(k[len(prefix):], 0); sidEnd >= 0 {
			// This is the key of a grant. A client session may have very many grants, so one seek skips all of them.
			k, v = c.Seek(append(bytes.Clone(k[:len(prefix)+sidEnd]), 1))
			continue
		}
		if cs, ok := decode[storage.ClientSession](t, sessions, v); ok {
			list = append(list, cs)
		}
		k, v = c.Next()
	}
	slices.SortStableFunc(list, func(a, b storage.ClientSession) int {
		return cmp.Or(a.Joined.Compare(b.Joined), cmp.Compare(a.Client, b.Client))
	})
	return list
}

// activeSession reads a session that is active at that time, with its active client sessions.
func (t *tx) activeSession(id storage.SessionID, at time.Time) (storage.Session, bool) {
	session, ok := t.sessionRecord(id)
	if !ok || !t.sessionActive(session, at) {
		return storage.Session{}, false
	}
	session.ClientSessions = slices.DeleteFunc(
		t.clientSessionsOf(id),
		func(cs storage.ClientSession) bool { return t.clientSessionRevoked(session, cs) },
	)
	return session, true
}

// sessionActive reports whether a session has neither expired nor been ended by a bulk logout under way.
func (t *tx) sessionActive(session storage.Session, at time.Time) bool {
	return at.Before(session.Deadline()) && !t.sessionRevoked(session)
}

// checkSession returns an error if a session may not be created, and truncates its times.
func (t *tx) checkSession(session *storage.Session) error {
	if session.ID == "" || strings.ContainsRune(string(session.ID), 0) {
		return fmt.Errorf("a session needs an id without NUL")
	}
	truncateTimes(&session.AuthTime, &session.Created, &session.LastActive, &session.Expires, &session.Upstream.Expires)
	switch {
	case t.get(sessions, []byte(session.ID)) != nil || t.get(sessionsBySecret, session.SecretHash[:]) != nil:
		return storage.ErrExists
	case !t.userEnabled(session.Subject):
		return storage.ErrRevoked
	}
	for _, cs := range session.ClientSessions {
		if !t.sidAvailable(cs.SID) {
			return fmt.Errorf("sid of a client session: %w", storage.ErrExists)
		}
	}
	return nil
}

// addSession stores a new session that checkSession has accepted.
func (t *tx) addSession(session storage.Session) {
	session.Sequence = t.sequence()
	t.put(sessionsBySecret, session.SecretHash[:], []byte(session.ID))
	t.put(sessionsByUser, joinKey(session.Subject, string(session.ID)), nil)
	t.indexUpstream(session)
	t.putSession(session, time.Time{})
	for _, cs := range session.ClientSessions {
		cs.Sequence = session.Sequence
		t.putClientSession(session.ID, cs, true)
	}
	t.adjustSessionCount(1)
}

// putSession stores a session without its client sessions, and updates its index entry if the deadline has changed.
// oldDeadline is the deadline in the index; zero: the session is new.
func (t *tx) putSession(session storage.Session, oldDeadline time.Time) {
	if deadline := session.Deadline(); !deadline.Equal(oldDeadline) {
		if !oldDeadline.IsZero() {
			t.delete(sessionsByDeadline, timeKey(oldDeadline, []byte(session.ID)...))
		}
		t.put(sessionsByDeadline, timeKey(deadline, []byte(session.ID)...), nil)
	}
	session.ClientSessions = nil
	t.store(sessions, []byte(session.ID), session)
}

// touch stores that a session was used.
func (t *tx) touch(session *storage.Session, at time.Time) {
	oldDeadline := session.Deadline()
	session.LastActive = at
	t.putSession(*session, oldDeadline)
}

// putClientSession stores a client session.
func (t *tx) putClientSession(id storage.SessionID, cs storage.ClientSession, isNew bool) {
	truncateTimes(&cs.Joined, &cs.LastUsed)
	cs.TokenExpiry = truncateTokenExpiry(cs.TokenExpiry)
	t.store(sessions, joinKey(string(id), cs.SID), cs)
	if isNew {
		t.put(sessionsBySID, []byte(cs.SID), []byte(id))
		t.put(sessionsByClient, joinKey(cs.Client, string(id), cs.SID), nil)
	}
}

// sidAvailable reports whether a new client session may have a sid.
func (t *tx) sidAvailable(sid string) bool {
	return sid != "" && !strings.ContainsRune(sid, 0) && t.get(sessionsBySID, []byte(sid)) == nil
}

// removeClientSession removes a client session.
func (t *tx) removeClientSession(id storage.SessionID, cs storage.ClientSession) {
	t.delete(sessions, joinKey(string(id), cs.SID))
	t.discardClientSession(id, cs)
}

// removeSession removes a session with its client sessions. Only a termination calls it.
func (t *tx) removeSession(session storage.Session) {
	for _, cs := range session.ClientSessions {
		t.removeClientSession(session.ID, cs)
	}
	t.delete(sessions, []byte(session.ID))
	t.delete(sessionsBySecret, session.SecretHash[:])
	t.delete(sessionsByUser, joinKey(session.Subject, string(session.ID)))
	t.unindexUpstream(session)
	t.delete(sessionsByDeadline, timeKey(session.Deadline(), []byte(session.ID)...))
	t.adjustSessionCount(-1)
}

// indexUpstream adds a session to the index of upstream sessions.
func (t *tx) indexUpstream(session storage.Session) {
	for _, scope := range session.Upstream.Scopes() {
		t.put(sessionsByUpstream, joinKey(scope, session.ID), nil)
	}
}

// unindexUpstream removes a session from the index of upstream sessions.
func (t *tx) unindexUpstream(session storage.Session) {
	for _, scope := range session.Upstream.Scopes() {
		t.delete(sessionsByUpstream, joinKey(scope, session.ID))
	}
}

// adjustSessionCount adds delta to the number of sessions. The number is the sequence in the bucket's header: bbolt
// writes the header in any case, so counting costs no further page.
func (t *tx) adjustSessionCount(delta int) {
	b := t.bucket(sessions)
	if err := b.SetSequence(uint64(int(b.Sequence()) + delta)); err != nil {
		t.fail(fmt.Errorf("count sessions: %w", err))
	}
}

// truncateTokenExpiry returns expiry with all times in whole milliseconds.
func truncateTokenExpiry(expiry storage.TokenExpiry) storage.TokenExpiry {
	truncateTimes(&expiry.Opaque, &expiry.JWT, &expiry.IDToken, &expiry.SessionExpiry, &expiry.LastIDToken)
	return expiry
}
