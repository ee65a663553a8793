package fault

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/curfew-id/curfew/conformance/op"
)

const (
	callback  = "http://shop.localhost:9/callback" // nothing listens there: only the address is read
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // the S256 of verifier (RFC 7636 appendix B)
)

// visitor is a browser with at most one session, and the tokens that its clients got.
type visitor struct {
	w       *world
	session int
	user    string
	browser *op.Browser
	tokens  map[string]*tokenSet // by client
	over    bool                 // an end was asked for
}

// tokenSet is what a client holds.
type tokenSet struct {
	access, refresh, id, sid, code string
}

func (w *world) newVisitor() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	// Each visitor has an address of its own: an attempt at a password that a fault cuts off stays counted, and
	// attempts of one address are limited.
	address := fmt.Sprintf("10.%d.%d.%d", rand.IntN(256), rand.IntN(256), rand.IntN(256))
	browser := &op.Browser{
		HTTP: &http.Client{
			Transport: forwarded{w.client, address},
			Jar:       jar,
			Timeout:   60 * time.Second,
			CheckRedirect: func(r *http.Request, _ []*http.Request) error {
				if strings.HasPrefix(r.URL.String(), callback) {
					return http.ErrUseLastResponse
				}
				return nil
			},
		},
	}
	return &visitor{w: w, session: w.history.newSession(), browser: browser, tokens: map[string]*tokenSet{}}
}

// forwarded names a browser's address, as a proxy does.
type forwarded struct {
	transport http.RoundTripper
	address   string
}

// RoundTrip adds the header to a copy of the request.
func (f forwarded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", f.address)
	return f.transport.RoundTrip(r)
}

func (v *visitor) authorizeURL(client string, more ...string) string {
	q := url.Values{
		"client_id":             {client},
		"redirect_uri":          {callback},
		"response_type":         {"code"},
		"scope":                 {"openid"},
		"state":                 {"st"},
		"nonce":                 {"nn"},
		"code_challenge":        {challenge},
		"code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return v.w.op.Issuer + "/authorize?" + q.Encode()
}

// response reads the parameters of an authorization response; nil without one.
func response(r *http.Response, err error) url.Values {
	if err != nil {
		return nil
	}
	defer r.Body.Close()
	_, _ = io.Copy(io.Discard, r.Body) // so that the connection is kept
	location, err := r.Location()
	if err != nil {
		return nil
	}
	return location.Query()
}

// signIn signs a user in at the first client, with the password, and redeems the code.
func (v *visitor) signIn(user string) result {
	v.user = user
	var code string
	r := v.w.history.record(v.session, signIn, "sign-in", func() result {
		p, err := v.browser.Get(v.authorizeURL(clients[0]))
		if err != nil || p.Status != http.StatusOK {
			return unknown
		}
		action, fields, found := formOf(p)
		if !found {
			return unknown
		}
		fields.Set("username", user)
		fields.Set("password", password)
		code = response(v.browser.HTTP.PostForm(action, fields)).Get("code")
		if code == "" {
			return unknown
		}
		return accepted
	})
	if r == accepted {
		v.redeem(clients[0], code)
	}
	return r
}

// join signs the browser's session in at one more client.
func (v *visitor) join(client string) result {
	code, r := v.silent(client)
	if r == accepted {
		v.redeem(client, code)
	}
	return r
}

// silent asks for a code with prompt=none.
func (v *visitor) silent(client string) (code string, r result) {
	r = v.w.history.record(v.session, use, "a silent sign-in", func() result {
		q := response(v.browser.HTTP.Get(v.authorizeURL(client, "prompt", "none")))
		switch {
		case q.Get("code") != "":
			code = q.Get("code")
			return accepted
		case q.Get("error") == "login_required":
			return refused
		}
		return unknown
	})
	return code, r
}

func (v *visitor) redeem(client, code string) result {
	set := &tokenSet{code: code}
	r := v.w.history.record(v.session, redeem, code, func() result {
		return v.requestTokens(
			client,
			set,
			url.Values{
				"grant_type":    {"authorization_code"},
				"code":          {code},
				"redirect_uri":  {callback},
				"code_verifier": {verifier},
			},
		)
	})
	if r == accepted {
		v.tokens[client] = set
	}
	return r
}

// refresh exchanges the client's refresh token. Without a response the token may have been used: it is not presented
// again.
func (v *visitor) refresh(client string) result {
	set := v.tokens[client]
	if set == nil || set.refresh == "" {
		return unknown
	}
	r := v.w.history.record(v.session, use, "a refresh", func() result {
		return v.requestTokens(client, set, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {set.refresh}})
	})
	if r == unknown {
		set.refresh = ""
	}
	return r
}

func (v *visitor) requestTokens(client string, set *tokenSet, form url.Values) result {
	status, body := v.w.post(client, "/token", form)
	var answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		ID      string `json:"id_token"`
		Error   string `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return unknown
	}
	switch {
	case status == http.StatusOK && answer.Access != "":
		set.access, set.refresh = answer.Access, answer.Refresh
		if answer.ID != "" {
			set.id = answer.ID
			set.sid = claimsOf(answer.ID).SID
		}
		return accepted
	case status == http.StatusBadRequest && answer.Error == "invalid_grant":
		return refused
	}
	return unknown
}

// introspect asks whether the client's access token is active.
func (v *visitor) introspect(client string) result {
	set := v.tokens[client]
	if set == nil {
		return unknown
	}
	return v.w.history.record(v.session, use, "introspection", func() result {
		status, body := v.w.post(client, "/introspect", url.Values{"token": {set.access}})
		var answer struct{ Active *bool }
		switch {
		case status != http.StatusOK || json.Unmarshal(body, &answer) != nil || answer.Active == nil:
			return unknown
		case *answer.Active:
			return accepted
		}
		return refused
	})
}

// signOut sends a logout request with the hint of the first client, whose session it ends as a whole.
func (v *visitor) signOut() result {
	set := v.tokens[clients[0]]
	if set == nil {
		return unknown
	}
	v.over = true
	return v.w.history.record(v.session, end, "a logout request", func() result {
		p, err := v.browser.Get(v.w.op.Issuer + "/end_session?" + url.Values{"id_token_hint": {set.id}}.Encode())
		// data-fresh: this request ended the session. Without it the page says that no session was active, as when
		// the session had expired.
		if err != nil || p.Status != http.StatusOK || !strings.Contains(p.Body, `id="signed-out"`) ||
			!strings.Contains(p.Body, " data-fresh") {
			return unknown
		}
		return accepted
	})
}

// look asks for the session in every way, for the end of a round.
func (v *visitor) look() {
	v.silent(clients[0])
	for client := range v.tokens {
		v.introspect(client)
		v.refresh(client)
	}
}

// post sends a form as a client.
func (w *world) post(client, path string, form url.Values) (int, []byte) {
	request, err := http.NewRequest(http.MethodPost, w.op.Issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Error(err)
		return 0, nil
	}
	request.SetBasicAuth(client, secret)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := w.http().Do(request)
	if err != nil {
		return 0, nil
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, nil
	}
	return answer.StatusCode, body
}

// formOf finds the sign-in form of a page.
func formOf(p op.Page) (action string, fields url.Values, found bool) {
	action, fields, err := p.Form()
	return action, fields, err == nil
}

// tokenClaims are the claims of a JWT that the tests read.
type tokenClaims struct {
	SID           string `json:"sid"`
	Sub           string `json:"sub"`
	JTI           string `json:"jti"`
	Exp           int64  `json:"exp"`
	SessionExpiry int64  `json:"session_expiry"`
}

// claimsOf reads the claims of a JWT and checks no signature. An unreadable token has none.
func claimsOf(token string) (claims tokenClaims) {
	decodePart(token, 1, &claims)
	return claims
}

// tokenHeader is the header of a JWT.
type tokenHeader struct {
	KID string `json:"kid"`
}

// headerOf reads the header of a JWT. An unreadable token has none.
func headerOf(token string) (header tokenHeader) {
	decodePart(token, 0, &header)
	return header
}

// decodePart reads the header (0) or the claims (1) of a JWT into out, which stays empty if they cannot be read.
func decodePart(token string, part int, out any) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return
	}
	if text, err := base64.RawURLEncoding.DecodeString(parts[part]); err == nil {
		_ = json.Unmarshal(text, out) // an unreadable part leaves out as it is
	}
}

// crowd is visitors that act at random.
type crowd struct {
	mu       sync.Mutex
	visitors []*visitor
}

// drive lets visitors sign in, use their sessions and sign out, at random, until ctx ends.
func (w *world) drive(ctx context.Context, workers int) *crowd {
	c := &crowd{}
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			var mine []*visitor
			for ctx.Err() == nil {
				n := rand.IntN(100)
				if len(mine) == 0 || n < 20 {
					v := w.newVisitor()
					if v.signIn(w.users[rand.IntN(len(w.users))]) == accepted {
						mine = append(mine, v)
						c.mu.Lock()
						c.visitors = append(c.visitors, v)
						c.mu.Unlock()
					} else {
						time.Sleep(10 * time.Millisecond) // the server may be down
					}
					continue
				}
				v := mine[rand.IntN(len(mine))]
				switch {
				case n < 35 && !v.over:
					v.signOut()
				case n < 55:
					v.join(clients[1+rand.IntN(2)])
				case n < 80:
					v.refresh(clients[0])
				default:
					v.introspect(clients[0])
				}
			}
		})
	}
	all.Wait()
	return c
}

// of returns the sessions of a user.
func (c *crowd) of(user string) (sessions []int) {
	for _, v := range c.visitors {
		if v.user == user {
			sessions = append(sessions, v.session)
		}
	}
	return sessions
}

// look has every visitor ask for the session once more.
func (c *crowd) look() { c.each((*visitor).look) }

// each calls do for every visitor, for some at the same time.
func (c *crowd) each(do func(*visitor)) {
	var all sync.WaitGroup
	next := make(chan *visitor)
	for range 4 {
		all.Go(func() {
			for v := range next {
				do(v)
			}
		})
	}
	for _, v := range c.visitors {
		next <- v
	}
	close(next)
	all.Wait()
}
