package web

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// All cookies of the provider. Under https each has the __Host- prefix, which keeps sibling hosts from setting it; plain http
// exists for loopback only, where browsers would refuse the prefix.
const (
	cookieSession = "curfew-session" // the bare secret of the single-sign-on session
	cookieFlow    = "curfew-flow"    // a random name for this browser, to which handles are bound
	cookieDevice  = "curfew-device"  // sealed: who has signed in here before, for the attempt limits
	cookieState   = "curfew-state"   // Session Management 1.0 §3.2: readable by the check_session frame
	cookieLeft    = "curfew-left"    // sealed: this browser just signed out, so the next sign-in is not silent

	deviceLife = 400 * 24 * time.Hour // as long as browsers keep any cookie
	leftLife   = 2 * time.Minute
)

func (s *Site) cookieName(name string) string {
	if s.Secure() {
		return "__Host-" + name
	}
	return name
}

func (s *Site) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	c := &http.Cookie{Name: s.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: s.Secure(), SameSite: http.SameSiteLaxMode}
	switch {
	case life > 0:
		c.MaxAge = int(life / time.Second)
	case life < 0:
		c.MaxAge = -1
	}
	if name == cookieState {
		c.HttpOnly = false
		if s.Secure() {
			c.SameSite = http.SameSiteNoneMode
		}
	}
	http.SetCookie(w, c)
}

func (s *Site) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(s.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// SetSession gives the browser its session: life is how long the browser keeps the cookie, 0 until it closes.
func (s *Site) SetSession(w http.ResponseWriter, secret string, life time.Duration) {
	s.setCookie(w, cookieSession, secret, life)
	s.renewState(w)
}

// ClearSession takes the session cookie away. Each cookie is expired by its name: Clear-Site-Data "cookies" would in Chromium
// also wipe those of sibling hosts.
func (s *Site) ClearSession(w http.ResponseWriter) {
	s.setCookie(w, cookieSession, "", -1)
	s.renewState(w)
}

// HasSessionCookie tells whether the browser sent a session cookie, living or not.
func (s *Site) HasSessionCookie(r *http.Request) bool { return s.cookie(r, cookieSession) != "" }

// Session is the living session of the browser; ok is false if there is none. Any other error of the store is returned, so that
// nobody is taken for signed out (or in) because a disk failed.
func (s *Site) Session(r *http.Request) (session storage.Session, ok bool, err error) {
	secret := s.cookie(r, cookieSession)
	if secret == "" {
		return storage.Session{}, false, nil
	}
	session, err = s.Sessions.SessionBySecret(r.Context(), storage.HashOf(secret), s.Now())
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Session{}, false, nil
	}
	return session, err == nil, err
}

// State is the browser state that session_state is computed from (Session Management 1.0 §2), made if there is none.
func (s *Site) State(w http.ResponseWriter, r *http.Request) string {
	answer := http.Response{Header: w.Header()}
	for _, c := range slices.Backward(answer.Cookies()) { // what this answer sets counts already
		if c.Name == s.cookieName(cookieState) {
			return c.Value
		}
	}
	if v := s.cookie(r, cookieState); v != "" {
		return v
	}
	return s.renewState(w)
}

// renewState changes the browser state: on login, logout and change of user. It is random and names nobody. Where nobody asks for it, there is
// none.
func (s *Site) renewState(w http.ResponseWriter) string {
	if !s.CheckSession {
		return ""
	}
	v := keys.Random("")
	s.setCookie(w, cookieState, v, 0)
	return v
}

// StateCookieName is the name under which the check_session frame reads the browser state.
func (s *Site) StateCookieName() string { return s.cookieName(cookieState) }

// browser names this browser; it is made and set if the browser has no name yet.
func (s *Site) browser(w http.ResponseWriter, r *http.Request) string {
	if v := s.cookie(r, cookieFlow); len(v) == len(keys.Random("")) {
		return v
	}
	v := keys.Random("")
	s.setCookie(w, cookieFlow, v, 0)
	// A second handle made for the same answer must find the same name.
	r.AddCookie(&http.Cookie{Name: s.cookieName(cookieFlow), Value: v})
	return v
}

// KnowsDevice tells whether that person has signed in with this browser before.
func (s *Site) KnowsDevice(r *http.Request, subject string) bool {
	return slices.Contains(s.device(r), storage.HashOf(subject).String()[:16])
}

// RememberDevice notes that the person has signed in with this browser. It keeps the last five.
func (s *Site) RememberDevice(w http.ResponseWriter, r *http.Request, subject string) {
	mark := storage.HashOf(subject).String()[:16]
	known := slices.DeleteFunc(s.device(r), func(k string) bool { return k == mark })
	known = append([]string{mark}, known...)
	raw, err := json.Marshal(known[:min(len(known), 5)])
	if err != nil {
		return
	}
	if text, err := s.Sealer.Seal("device", raw); err == nil {
		s.setCookie(w, cookieDevice, text, deviceLife)
	}
}

func (s *Site) device(r *http.Request) []string {
	raw, err := s.Sealer.Open("device", s.cookie(r, cookieDevice))
	if err != nil {
		return nil
	}
	var known []string
	if json.Unmarshal(raw, &known) != nil {
		return nil
	}
	return known
}

// left says when somebody signed out of which applications in this browser, in milliseconds by the mark of each.
type left map[string]int64

func leftMark(client string) string { return storage.HashOf("left " + client).String()[:16] }

// MarkLeft notes that somebody signed out of these applications in this browser just now. It keeps twenty.
func (s *Site) MarkLeft(w http.ResponseWriter, r *http.Request, clients ...string) {
	l := s.readLeft(r)
	for _, id := range clients {
		l[leftMark(id)] = s.Now().UnixMilli()
	}
	s.writeLeft(w, r, l)
}

// JustLeft tells whether somebody signed out of that application in this browser within the last two minutes, and has not shown who they
// are since.
func (s *Site) JustLeft(r *http.Request, client string, authTime time.Time) bool {
	at, ok := s.readLeft(r)[leftMark(client)]
	return ok && authTime.UnixMilli() < at
}

// ForgetLeft takes that note away: the person has decided to sign in there again.
func (s *Site) ForgetLeft(w http.ResponseWriter, r *http.Request, client string) {
	l := s.readLeft(r)
	delete(l, leftMark(client))
	s.writeLeft(w, r, l)
}

func (s *Site) readLeft(r *http.Request) left {
	text := s.cookie(r, cookieLeft)
	if text == "" {
		return left{}
	}
	var l left
	if raw, err := s.Sealer.Open("left", text); err != nil || json.Unmarshal(raw, &l) != nil || l == nil {
		return left{}
	}
	maps.DeleteFunc(l, func(_ string, at int64) bool { return s.Now().Sub(time.UnixMilli(at)) >= leftLife })
	return l
}

func (s *Site) writeLeft(w http.ResponseWriter, r *http.Request, l left) {
	for mark := range l {
		if len(l) <= 20 {
			break
		}
		delete(l, mark)
	}
	if len(l) == 0 {
		if s.cookie(r, cookieLeft) != "" {
			s.setCookie(w, cookieLeft, "", -1)
		}
		return
	}
	raw, err := json.Marshal(l)
	if err != nil {
		return
	}
	if text, err := s.Sealer.Seal("left", raw); err == nil {
		s.setCookie(w, cookieLeft, text, leftLife)
	}
}
