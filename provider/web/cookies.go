package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// All cookies of the provider. Under https each has the __Host- prefix, which keeps sibling hosts from setting it;
// plain http exists for loopback only, where browsers would refuse the prefix.
const (
	cookieSession      = "curfew-session" // the bare secret of the single-sign-on session
	cookieBrowser      = "curfew-flow"    // a random name for this browser, to which handles are bound
	cookieDevice       = "curfew-device"  // sealed: who has signed in here before, for the attempt limits
	cookieBrowserState = "curfew-state"   // Session Management 1.0 §3.2: readable by the check_session frame
	cookieSignOuts     = "curfew-left"    // sealed: this browser just signed out, so the next sign-in is not silent
	cookieFrames       = "curfew-frames"  // the logout whose front-channel frames this browser has yet to load

	deviceLifetime  = 400 * 24 * time.Hour // as long as browsers keep any cookie
	signOutLifetime = 2 * time.Minute
)

// cookieName is the full name of a cookie. Browsers keep the cookies of all ports and all paths of a host together,
// so an issuer with a port or a path of its own has its mark in the name: two issuers on one host do not overwrite
// each other's cookies. __Host- demands the path "/", so below a path the prefix is __Secure-.
func (s *Site) cookieName(name string) string {
	_, rest, _ := strings.Cut(s.Issuer, "://")
	if strings.ContainsAny(rest, ":/") {
		name += "-" + storage.HashOf("issuer " + s.Issuer).String()[:6]
	}
	switch {
	case !s.Secure():
		return name
	case s.issuerPath() != "":
		return "__Secure-" + name
	}
	return "__Host-" + name
}

func (s *Site) setCookie(w http.ResponseWriter, name, value string, lifetime time.Duration) {
	c := &http.Cookie{
		Name:     s.cookieName(name),
		Value:    value,
		Path:     cmp.Or(s.issuerPath(), "/"),
		HttpOnly: true,
		Secure:   s.Secure(),
		SameSite: http.SameSiteLaxMode,
	}
	switch {
	case lifetime > 0:
		c.MaxAge = int(lifetime / time.Second)
	case lifetime < 0:
		c.MaxAge = -1
	}
	if name == cookieBrowserState {
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

// SetSessionCookie gives the browser its session: life is how long the browser keeps the cookie, 0 until it closes.
func (s *Site) SetSessionCookie(w http.ResponseWriter, r *http.Request, secret string, lifetime time.Duration) {
	s.setCookie(w, cookieSession, secret, lifetime)
	s.changeBrowserState(w, r)
}

// ClearSessionCookie takes the session cookie away. Each cookie is expired by its name: Clear-Site-Data "cookies"
// would in Chromium also wipe those of sibling hosts.
func (s *Site) ClearSessionCookie(w http.ResponseWriter, r *http.Request) {
	s.setCookie(w, cookieSession, "", -1)
	s.changeBrowserState(w, r)
}

// HasSessionCookie reports whether the browser sent a session cookie, active or not.
func (s *Site) HasSessionCookie(r *http.Request) bool { return s.cookie(r, cookieSession) != "" }

// Session is the active session of the browser; ok is false if there is none. Any other error of the store is
// returned, so that no user is taken for signed out (or in) because a disk failed.
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

// BrowserState is the browser state that session_state is computed from (Session Management 1.0 §2), made if there is
// none.
func (s *Site) BrowserState(w http.ResponseWriter, r *http.Request) string {
	response := http.Response{Header: w.Header()}
	for _, c := range slices.Backward(response.Cookies()) { // what this answer sets counts already
		if c.Name == s.cookieName(cookieBrowserState) {
			return c.Value
		}
	}
	if v := s.cookie(r, cookieBrowserState); v != "" {
		return v
	}
	return s.newBrowserState(w)
}

// changeBrowserState gives the browser another state on login, logout and change of user, if a client has used its
// state at all.
func (s *Site) changeBrowserState(w http.ResponseWriter, r *http.Request) {
	if s.CheckSession && s.cookie(r, cookieBrowserState) != "" {
		s.newBrowserState(w)
	}
}

// newBrowserState sets a random state that names no user.
func (s *Site) newBrowserState(w http.ResponseWriter) string {
	v := keys.Random("")
	s.setCookie(w, cookieBrowserState, v, 0)
	return v
}

// BrowserStateCookieName is the name under which the check_session frame reads the browser state.
func (s *Site) BrowserStateCookieName() string { return s.cookieName(cookieBrowserState) }

// browserID returns the name of this browser, to which interactions are bound. If the browser has none, it gets one.
func (s *Site) browserID(w http.ResponseWriter, r *http.Request) string {
	if v := s.cookie(r, cookieBrowser); len(v) == len(keys.Random("")) {
		return v
	}
	v := keys.Random("")
	if !withholdsCookies(r) {
		s.setCookie(w, cookieBrowser, v, 0)
	}
	// A second interaction of the same answer is bound to the same name.
	r.AddCookie(&http.Cookie{Name: s.cookieName(cookieBrowser), Value: v})
	return v
}

// withholdsCookies reports whether the browser sends no SameSite=Lax cookies with this request: it comes from another
// site and is no top-level navigation by GET. Such a request must not set a cookie that the browser may already have.
func withholdsCookies(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") != "cross-site" {
		return false
	}
	navigates := r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	return !navigates || r.Method != http.MethodGet && r.Method != http.MethodHead
}

// device is the content of the device cookie.
type device struct {
	ID    string   `json:"i"` // random; names this browser for the limits of attempts
	Users []string `json:"u"` // hashes of the users who have signed in here, the latest first
}

const maxDeviceUsers = 5

func deviceUserHash(subject string) string { return storage.HashOf(subject).String()[:16] }

// Device returns the name of this browser if that user has signed in with it before, else "".
func (s *Site) Device(r *http.Request, subject string) string {
	if d := s.readDevice(r); slices.Contains(d.Users, deviceUserHash(subject)) {
		return d.ID
	}
	return ""
}

// RememberDevice notes that the user has signed in with this browser.
func (s *Site) RememberDevice(w http.ResponseWriter, r *http.Request, subject string) {
	d := s.readDevice(r)
	if d.ID == "" {
		d.ID = keys.Random("")
	}
	userHash := deviceUserHash(subject)
	users := slices.DeleteFunc(d.Users, func(user string) bool { return user == userHash })
	users = append([]string{userHash}, users...)
	d.Users = users[:min(len(users), maxDeviceUsers)]
	raw, err := json.Marshal(d)
	if err != nil {
		return
	}
	if text, err := s.Sealer.Seal("device", raw); err == nil {
		s.setCookie(w, cookieDevice, text, deviceLifetime)
	}
}

// readDevice returns the device cookie; empty without a valid one.
func (s *Site) readDevice(r *http.Request) device {
	raw, err := s.Sealer.Open("device", s.cookie(r, cookieDevice))
	if err != nil {
		return device{}
	}
	var d device
	if json.Unmarshal(raw, &d) != nil {
		return device{}
	}
	return d
}

// recentSignOuts says when a user signed out of which clients in this browser, in milliseconds by the mark of each.
type recentSignOuts map[string]int64

func signOutKey(client string) string { return storage.HashOf("left " + client).String()[:16] }

// RememberSignOut notes that a user signed out of these clients in this browser just now. It keeps twenty.
func (s *Site) RememberSignOut(w http.ResponseWriter, r *http.Request, clients ...string) {
	signOuts := s.readSignOuts(r)
	for _, id := range clients {
		signOuts[signOutKey(id)] = s.Now().UnixMilli()
	}
	s.writeSignOuts(w, r, signOuts)
}

// HasRecentSignOut reports whether a user signed out of that client in this browser within the last two minutes, and
// has not shown who they are since.
func (s *Site) HasRecentSignOut(r *http.Request, client string, authTime time.Time) bool {
	signedOutAt, ok := s.readSignOuts(r)[signOutKey(client)]
	return ok && authTime.UnixMilli() < signedOutAt
}

// ForgetSignOut takes that note away: the user has decided to sign in there again.
func (s *Site) ForgetSignOut(w http.ResponseWriter, r *http.Request, client string) {
	signOuts := s.readSignOuts(r)
	delete(signOuts, signOutKey(client))
	s.writeSignOuts(w, r, signOuts)
}

func (s *Site) readSignOuts(r *http.Request) recentSignOuts {
	text := s.cookie(r, cookieSignOuts)
	if text == "" {
		return recentSignOuts{}
	}
	var signOuts recentSignOuts
	if raw, err := s.Sealer.Open("left", text); err != nil || json.Unmarshal(raw, &signOuts) != nil || signOuts == nil {
		return recentSignOuts{}
	}
	maps.DeleteFunc(
		signOuts,
		func(_ string, at int64) bool { return s.Now().Sub(time.UnixMilli(at)) >= signOutLifetime },
	)
	return signOuts
}

func (s *Site) writeSignOuts(w http.ResponseWriter, r *http.Request, signOuts recentSignOuts) {
	for key := range signOuts {
		if len(signOuts) <= 20 {
			break
		}
		delete(signOuts, key)
	}
	if len(signOuts) == 0 {
		if s.cookie(r, cookieSignOuts) != "" {
			s.setCookie(w, cookieSignOuts, "", -1)
		}
		return
	}
	raw, err := json.Marshal(signOuts)
	if err != nil {
		return
	}
	if text, err := s.Sealer.Seal("left", raw); err == nil {
		s.setCookie(w, cookieSignOuts, text, signOutLifetime)
	}
}

// framesLifetime is how long a browser may take from the redirect to the signed-out page.
const framesLifetime = time.Minute

// AllowFrames lets the next page of that logout load its front-channel frames.
func (s *Site) AllowFrames(w http.ResponseWriter, cause string) {
	s.setCookie(w, cookieFrames, framesKey(cause), framesLifetime)
}

// TakeFrames reports whether this browser may load the frames of that logout, and lets it do so no more.
func (s *Site) TakeFrames(w http.ResponseWriter, r *http.Request, cause string) bool {
	if s.cookie(r, cookieFrames) != framesKey(cause) {
		return false
	}
	s.setCookie(w, cookieFrames, "", -1)
	return true
}

func framesKey(cause string) string { return storage.HashOf("frames " + cause).String()[:22] }
