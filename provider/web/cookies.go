package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// All cookies of the provider. With https each name has the prefix __Host-, so that sibling hosts cannot set the
// cookie. Plain http is for loopback only, where browsers would refuse the prefix.
const (
	cookieSession      = "curfew-session" // the secret of the session
	cookieBrowser      = "curfew-flow"    // a random browser ID, to which interactions are bound
	cookieDevice       = "curfew-device"  // sealed: the users who have signed in here before, for the attempt limits
	cookieRemembered   = "curfew-second"  // the secret of a browser whose users are not asked for a second factor
	cookieBrowserState = "curfew-state"   // browser state of Session Management 1.0 §3.2, readable by the OP iframe
	cookieSignOuts     = "curfew-left"    // sealed: recent sign-outs, after which a sign-in must not be silent
	cookieFrames       = "curfew-frames"  // the logout whose front-channel iframes this browser may load
	cookieRoute        = "curfew-route"   // a hint has just led this browser to an upstream
	cookieVisits       = "curfew-visits"  // how often this browser left for an upstream and did not come back

	deviceLifetime  = 400 * 24 * time.Hour // the maximum that browsers allow
	signOutLifetime = 2 * time.Minute

	issuerHashLength = 6  // characters of the hash of the issuer in a cookie's name
	keyHashLength    = 16 // characters of the hash of a user or client in a cookie
	framesHashLength = 22 // characters of the hash of a logout in a cookie
)

// cookieName returns the full name of a cookie. Browsers do not separate the cookies of a host by port, so an issuer
// with a port or a path adds a hash of itself to the name: two issuers on one host do not overwrite each other's
// cookies. __Host- requires the path "/", so an issuer with a path uses the prefix __Secure-.
func (s *Site) cookieName(name string) string {
	_, rest, _ := strings.Cut(s.Issuer, "://")
	if strings.ContainsAny(rest, ":/") {
		name += "-" + storage.HashOf("issuer " + s.Issuer).String()[:issuerHashLength]
	}
	switch {
	case !s.Secure():
		return name
	case s.issuerPath() != "":
		return "__Secure-" + name
	}
	return "__Host-" + name
}

// setCookie sets a cookie. The browser keeps the cookie for lifetime. If lifetime is 0, the browser keeps it until the
// browser closes. If lifetime is negative, the browser deletes the cookie.
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
	if name == cookieSession && s.CrossSite && s.Secure() {
		c.SameSite = http.SameSiteNoneMode
	}
	if name == cookieBrowserState { // a script reads it in an iframe on other sites
		c.HttpOnly = false
		if s.Secure() {
			c.SameSite = http.SameSiteNoneMode
		}
	}
	http.SetCookie(w, c)
}

// cookie returns the value of a cookie, or "" if the browser did not send it.
func (s *Site) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(s.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// SetSessionCookie sets the session cookie. lifetime is how long the browser keeps it; 0 means until it closes.
func (s *Site) SetSessionCookie(w http.ResponseWriter, r *http.Request, secret string, lifetime time.Duration) {
	s.setCookie(w, cookieSession, secret, lifetime)
	s.changeBrowserState(w, r)
}

// ClearSessionCookie deletes the session cookie. It deletes the cookie by name, because in Chromium Clear-Site-Data
// "cookies" would also delete the cookies of sibling hosts.
func (s *Site) ClearSessionCookie(w http.ResponseWriter, r *http.Request) {
	s.setCookie(w, cookieSession, "", -1)
	s.changeBrowserState(w, r)
}

// HasSessionCookie reports whether the browser sent a session cookie, whether or not its session is active.
func (s *Site) HasSessionCookie(r *http.Request) bool { return s.cookie(r, cookieSession) != "" }

// Session returns the active session of the browser. ok is false if there is none. It returns errors of the store, so
// that a storage failure does not look like a sign-out.
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

// BrowserState returns the browser state for session_state (Session Management 1.0 §2). If the browser has none, it
// gets one.
func (s *Site) BrowserState(w http.ResponseWriter, r *http.Request) string {
	response := http.Response{Header: w.Header()}
	for _, c := range slices.Backward(response.Cookies()) { // a state that this response sets already
		if c.Name == s.cookieName(cookieBrowserState) {
			return c.Value
		}
	}
	if v := s.cookie(r, cookieBrowserState); v != "" {
		return v
	}
	return s.newBrowserState(w)
}

// changeBrowserState sets a new browser state, on login, logout and change of user. It does nothing if no client has
// used the browser state.
func (s *Site) changeBrowserState(w http.ResponseWriter, r *http.Request) {
	if s.CheckSession && s.cookie(r, cookieBrowserState) != "" {
		s.newBrowserState(w)
	}
}

// newBrowserState sets a random browser state. It contains nothing about the user.
func (s *Site) newBrowserState(w http.ResponseWriter) string {
	v := keys.Random()
	s.setCookie(w, cookieBrowserState, v, 0)
	return v
}

// BrowserStateCookieName returns the name of the cookie in which the OP iframe reads the browser state.
func (s *Site) BrowserStateCookieName() string { return s.cookieName(cookieBrowserState) }

// browserID returns the ID of this browser, to which interactions are bound. If the browser has none, it gets one.
func (s *Site) browserID(w http.ResponseWriter, r *http.Request) string {
	newID := keys.Random()
	if id := s.cookie(r, cookieBrowser); len(id) == len(newID) {
		return id
	}
	if !WithholdsCookies(r) {
		s.setCookie(w, cookieBrowser, newID, 0)
	}
	// Further interactions in the same response are bound to the same ID.
	r.AddCookie(&http.Cookie{Name: s.cookieName(cookieBrowser), Value: newID})
	return newID
}

// WithholdsCookies reports whether the browser omits SameSite=Lax cookies from this request: it comes from another site
// and is not a top-level navigation by GET. The response to such a request must not overwrite an omitted cookie.
func WithholdsCookies(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") != "cross-site" {
		return false
	}
	isNavigation := r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	isSafe := r.Method == http.MethodGet || r.Method == http.MethodHead
	return !isNavigation || !isSafe
}

// RememberedBrowser returns the secret of a browser that was remembered for the second factor; empty if it was not.
func (s *Site) RememberedBrowser(r *http.Request) string { return s.cookie(r, cookieRemembered) }

// SetRememberedBrowser sets the secret of a browser that is not asked for the second factor.
func (s *Site) SetRememberedBrowser(w http.ResponseWriter, secret string, lifetime time.Duration) {
	s.setCookie(w, cookieRemembered, secret, lifetime)
}

// device is the content of the device cookie.
type device struct {
	ID    string   `json:"i"` // random; identifies this browser for the attempt limits
	Users []string `json:"u"` // hashes of the users who have signed in here, the latest first
}

// maxDeviceUsers is the maximum number of users in a device cookie.
const maxDeviceUsers = 5

// deviceUserHash returns the hash by which a device cookie names a user.
func deviceUserHash(subject string) string { return storage.HashOf(subject).String()[:keyHashLength] }

// Device returns the ID of this browser if the user has signed in with it before, else "".
func (s *Site) Device(r *http.Request, subject string) string {
	if d := s.readDevice(r); slices.Contains(d.Users, deviceUserHash(subject)) {
		return d.ID
	}
	return ""
}

// RememberDevice records in the device cookie that the user has signed in with this browser.
func (s *Site) RememberDevice(w http.ResponseWriter, r *http.Request, subject string) {
	d := s.readDevice(r)
	if d.ID == "" {
		d.ID = keys.Random()
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

// readDevice returns the content of the device cookie. It is empty if there is no valid cookie.
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

// recentSignOuts is the content of the sign-outs cookie. It maps the signOutKey of a client to the time at which the
// user of this browser signed out of the client, in Unix milliseconds.
type recentSignOuts map[string]int64

// maxSignOuts is the maximum number of clients in the sign-outs cookie.
const maxSignOuts = 20

// signOutKey returns the hash by which recentSignOuts names a client.
func signOutKey(client string) string {
	return storage.HashOf("left " + client).String()[:keyHashLength]
}

// RememberSignOut records that the user of this browser has just signed out of these clients. It keeps at most
// maxSignOuts.
func (s *Site) RememberSignOut(w http.ResponseWriter, r *http.Request, clients ...string) {
	signOuts := s.readSignOuts(r)
	for _, id := range clients {
		signOuts[signOutKey(id)] = s.Now().UnixMilli()
	}
	s.writeSignOuts(w, r, signOuts)
}

// HasRecentSignOut reports whether the user of this browser signed out of the client within signOutLifetime and has not
// authenticated since. authTime is the time of the last authentication.
func (s *Site) HasRecentSignOut(r *http.Request, client string, authTime time.Time) bool {
	signedOutAt, ok := s.readSignOuts(r)[signOutKey(client)]
	return ok && authTime.UnixMilli() < signedOutAt
}

// ForgetSignOut removes the record of a sign-out, because the user has confirmed to sign in at the client again.
func (s *Site) ForgetSignOut(w http.ResponseWriter, r *http.Request, client string) {
	signOuts := s.readSignOuts(r)
	delete(signOuts, signOutKey(client))
	s.writeSignOuts(w, r, signOuts)
}

// readSignOuts returns the sign-outs within signOutLifetime.
func (s *Site) readSignOuts(r *http.Request) recentSignOuts {
	text := s.cookie(r, cookieSignOuts)
	if text == "" {
		return recentSignOuts{}
	}
	raw, err := s.Sealer.Open("left", text)
	if err != nil {
		return recentSignOuts{}
	}
	var signOuts recentSignOuts
	if json.Unmarshal(raw, &signOuts) != nil || signOuts == nil {
		return recentSignOuts{}
	}
	isOld := func(_ string, signedOutAt int64) bool {
		return s.Now().Sub(time.UnixMilli(signedOutAt)) >= signOutLifetime
	}
	maps.DeleteFunc(signOuts, isOld)
	return signOuts
}

// writeSignOuts sets the sign-outs cookie, or deletes it if signOuts is empty.
func (s *Site) writeSignOuts(w http.ResponseWriter, r *http.Request, signOuts recentSignOuts) {
	for key := range signOuts { // it does not matter which of them are removed
		if len(signOuts) <= maxSignOuts {
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

// routeLifetime is how long a browser that a hint led to an upstream is not led there again.
const routeLifetime = time.Minute

// RememberRoute records that a hint leads this browser to an upstream.
func (s *Site) RememberRoute(w http.ResponseWriter) { s.setCookie(w, cookieRoute, "1", routeLifetime) }

// WasRouted reports whether a hint has just led this browser to an upstream, and it has not come back from there.
func (s *Site) WasRouted(r *http.Request) bool { return s.cookie(r, cookieRoute) != "" }

// maxVisits is how often a browser may leave for an upstream, each time within routeLifetime, and not come back.
// Providers that are upstreams of each other could send it around for ever.
const maxVisits = 10

// CountVisit records that the browser leaves for an upstream. It reports false if it has done so too often without
// coming back.
func (s *Site) CountVisit(w http.ResponseWriter, r *http.Request) bool {
	visits, _ := strconv.Atoi(s.cookie(r, cookieVisits)) // no number counts as none
	if visits >= maxVisits {
		return false
	}
	s.setCookie(w, cookieVisits, strconv.Itoa(visits+1), routeLifetime)
	return true
}

// ForgetRoute records that the browser came back from the upstream.
func (s *Site) ForgetRoute(w http.ResponseWriter, r *http.Request) {
	for _, name := range []string{cookieRoute, cookieVisits} {
		if s.cookie(r, name) != "" {
			s.setCookie(w, name, "", -1)
		}
	}
}

// framesLifetime is how long a browser may take to follow the redirect to the signed-out page.
const framesLifetime = time.Minute

// AllowFrames lets the next signed-out page of that logout load its front-channel iframes.
func (s *Site) AllowFrames(w http.ResponseWriter, cause string) {
	s.setCookie(w, cookieFrames, framesKey(cause), framesLifetime)
}

// TakeFrames reports whether this browser may load the iframes of that logout. It returns true only once.
func (s *Site) TakeFrames(w http.ResponseWriter, r *http.Request, cause string) bool {
	if s.cookie(r, cookieFrames) != framesKey(cause) {
		return false
	}
	s.setCookie(w, cookieFrames, "", -1)
	return true
}

// framesKey returns the hash by which the frames cookie names a logout.
func framesKey(cause string) string {
	return storage.HashOf("frames " + cause).String()[:framesHashLength]
}
