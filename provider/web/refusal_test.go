package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// logLines reads what was logged since the last call.
func logLines(t *testing.T, log *bytes.Buffer) (lines []map[string]any) {
	t.Helper()
	for text := range strings.Lines(log.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("got the log line %q: %v", text, err)
		}
		lines = append(lines, line)
	}
	log.Reset()
	return lines
}

func mustStartLogging(t *testing.T, log *bytes.Buffer, level slog.Level) *providertest.Fixture {
	t.Helper()
	return providertest.MustStart(t, func(c *provider.Config) {
		c.Log = slog.New(web.LogHandler{Handler: slog.NewJSONHandler(log, &slog.HandlerOptions{Level: level})})
		c.Registration.Mode = policy.RegistrationOpen
	})
}

// TestEveryRefusalLeavesItsReasonInTheLog: with the client and the parameter at fault, in one line at info, whichever
// endpoint refused.
func TestEveryRefusalLeavesItsReasonInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := mustStartLogging(t, &log, slog.LevelInfo)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		hint := b.MustJoin("alice", "atlas").IDToken
		authorize := func(more ...string) func() {
			return func() { b.Do(http.MethodGet, providertest.AuthorizeURL("atlas", more...), nil, nil) }
		}
		token := func(form url.Values) func() { return func() { o.Token("atlas", form) } }
		endSession := func(more ...string) func() {
			return func() { b.Copy().Do(http.MethodGet, providertest.EndSessionURL(more...), nil, nil) }
		}
		for name, c := range map[string]struct {
			request func()
			want    map[string]any // empty: the attribute is missing
			reason  string
		}{
			"unknown client": {
				authorize("client_id", "nobody"),
				map[string]any{"client": "nobody", "param": "client_id", "status": 400.0}, "client_id",
			},
			"redirect URI": {
				authorize("redirect_uri", "https://u:p@atlas.example/callback/?token=sesame#x"),
				map[string]any{
					"client": "atlas",
					"param":  "redirect_uri",
					"value":  "https://…@atlas.example/callback/?…#…",
					"status": 400.0,
				},
				"not registered",
			},
			"no redirect URI": {
				authorize("redirect_uri", ""),
				map[string]any{"client": "atlas", "param": "redirect_uri", "status": 400.0}, "no redirect_uri",
			},
			"scope": {
				authorize("scope", "profile"),
				map[string]any{"client": "atlas", "param": "scope", "code": "invalid_scope"}, "openid",
			},
			"PKCE method": {
				authorize("code_challenge_method", "plain"),
				map[string]any{"client": "atlas", "param": "code_challenge_method", "code": "invalid_request"}, "S256",
			},
			"repeated": {
				func() { b.Do(http.MethodGet, providertest.AuthorizeURL("atlas")+"&max_age=1&max_age=2", nil, nil) },
				map[string]any{"client": "atlas", "param": "max_age", "code": "invalid_request"}, "more than once",
			},
			"no grant type": {
				token(url.Values{}),
				map[string]any{"client": "atlas", "param": "grant_type", "code": "invalid_request", "status": 400.0},
				"missing",
			},
			"no code": {
				token(url.Values{
					"grant_type":   {"authorization_code"},
					"redirect_uri": {"https://atlas.example/callback"},
				}),
				map[string]any{"client": "atlas", "param": "code", "code": "invalid_request", "status": 400.0},
				"missing",
			},
			"refresh token": {
				token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}),
				map[string]any{"client": "atlas", "param": "refresh_token", "code": "invalid_grant", "status": 400.0},
				"not issued by this provider",
			},
			"client secret": {
				func() {
					form := url.Values{
						"grant_type":    {"client_credentials"},
						"client_id":     {"atlas"},
						"client_secret": {"wrong-sesame"},
					}
					o.Browser().Do(http.MethodPost, "/token", form, nil)
				},
				map[string]any{"client": "atlas", "code": "invalid_client", "status": 401.0}, "",
			},
			"introspection": {
				func() {
					o.Browser().Do(http.MethodPost, "/introspect", url.Values{
						"client_id": {"atlas"},
						"token":     {"x"},
					}, nil)
				},
				map[string]any{"client": "atlas", "code": "invalid_client", "status": 401.0}, "authentication",
			},
			"userinfo": {
				func() {
					o.Browser().Do(http.MethodGet, "/userinfo", nil, http.Header{"Authorization": {"Bearer sesame"}})
				},
				map[string]any{"code": "invalid_token", "status": 401.0}, "unknown",
			},
			"hint": {
				endSession("id_token_hint", "sesame", "client_id", "atlas"),
				map[string]any{"client": "atlas", "param": "id_token_hint", "status": 400.0}, "not an ID token",
			},
			"post-logout redirect URI": {
				endSession("id_token_hint", hint, "post_logout_redirect_uri", "https://evil.example/?sesame"),
				map[string]any{
					"client": "atlas",
					"param":  "post_logout_redirect_uri",
					"value":  "https://evil.example/?…",
					"status": 400.0,
				},
				"not registered",
			},
			"registration": {
				func() {
					o.Browser().Do(http.MethodPost, "/register", nil, http.Header{"Content-Type": {"text/plain"}})
				},
				map[string]any{"code": "invalid_client_metadata", "status": 415.0}, "application/json",
			},
			"administration": {
				func() { o.Admin(http.MethodPost, "/clients", `{"redirect_uri":"https://a.example"}`) },
				map[string]any{"code": "invalid", "param": "redirect_uri", "status": 400.0}, "redirect_uris",
			},
			"no such page": {
				func() { o.Browser().Do(http.MethodGet, "/nowhere", nil, nil) },
				map[string]any{"status": 404.0}, "no route",
			},
		} {
			log.Reset()
			c.request()
			text := log.String()
			var refusals []map[string]any
			for _, line := range logLines(t, &log) {
				if line["msg"] == "request refused" {
					refusals = append(refusals, line)
				}
			}
			if len(refusals) != 1 {
				t.Errorf("%s: got %d lines about the refusal, want 1:\n%s", name, len(refusals), text)
				continue
			}
			got := refusals[0]
			if reason, _ := got["reason"].(string); got["level"] != "INFO" || !strings.Contains(reason, c.reason) {
				t.Errorf("%s: got %v, want the reason %q at INFO", name, got, c.reason)
			}
			for _, attribute := range []string{"client", "param", "value", "code", "status"} {
				if got[attribute] != c.want[attribute] {
					t.Errorf("%s: got %s %v, want %v", name, attribute, got[attribute], c.want[attribute])
				}
			}
			if strings.Contains(text, "sesame") || strings.Contains(text, providertest.Secret) {
				t.Errorf("%s: the log holds a secret:\n%s", name, text)
			}
		}
	})
}

// TestEveryBadParameterIsNamedInTheLog: each 400 of the endpoints logs the client, the parameter and a reason.
func TestEveryBadParameterIsNamedInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := mustStartLogging(t, &log, slog.LevelInfo)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		hint := b.MustJoin("alice", "atlas").IDToken
		type badParameter struct{ param, value string }
		mustName := func(endpoint string, bad badParameter, request func()) {
			t.Helper()
			log.Reset()
			request()
			text := log.String()
			for _, line := range logLines(t, &log) {
				reason, _ := line["reason"].(string)
				param, _ := line["param"].(string)
				isNamed := line["client"] == "atlas" && param == bad.param && reason != ""
				if line["msg"] == "request refused" && isNamed {
					return
				}
			}
			t.Errorf(
				"%s, %s=%.20s: the log does not name client, parameter and reason:\n%s",
				endpoint,
				bad.param,
				bad.value,
				text,
			)
		}
		for _, bad := range []badParameter{
			{"response_type", ""},
			{"response_type", "code code"},
			{"response_mode", "web_message"},
			{"prompt", "none login"},
			{"prompt", "create"},
			{"max_age", "-1"},
			{"claims", "{"},
			{"id_token_hint", "x.y.z"},
			{"code_challenge", "short"},
			{"request", "x"},
			{"request_uri", "https://evil.example/x"},
			{"resource", "https://api.example"},
			{"registration", "{}"},
			{"scope", ""},
		} {
			mustName("authorize", bad, func() {
				b.Do(http.MethodGet, providertest.AuthorizeURL("atlas", bad.param, bad.value), nil, nil)
			})
		}
		redemption := url.Values{
			"grant_type":    {"authorization_code"},
			"redirect_uri":  {"https://atlas.example/cb"},
			"code_verifier": {providertest.Verifier},
		}
		for _, bad := range []badParameter{
			{"grant_type", "made_up"},
			{"grant_type", "implicit"},
			{"code", "y\n"},
			{"code_verifier", "short"},
			{"redirect_uri", "https://atlas.example/"},
			{"resource", "https://api.example"},
		} {
			code := b.MustSignIn("alice", "atlas").Get("code")
			mustName("token", bad, func() {
				form := maps.Clone(redemption)
				form.Set("code", code)
				form.Set(bad.param, bad.value)
				o.Token("atlas", form)
			})
		}
		for _, endpoint := range []string{"/token", "/revoke", "/introspect"} {
			mustName(endpoint+" with a query", badParameter{}, func() { o.Call("atlas", endpoint+"?x=y", nil) })
		}
		for _, endpoint := range []string{"/revoke", "/introspect"} {
			for _, bad := range []badParameter{{"token", ""}, {"made_up", "twice"}} {
				mustName(endpoint, bad, func() {
					form := url.Values{"token": {"x"}, bad.param: {bad.value}}
					if bad.value == "twice" {
						form.Add(bad.param, bad.value)
					}
					o.Call("atlas", endpoint, form)
				})
			}
		}
		for _, bad := range []badParameter{
			{"post_logout_redirect_uri", "https://evil.example/"},
			{"post_logout_redirect_uri", "/relative"},
			{"id_token_hint", hint + "\n"},
			{"id_token_hint", hint[:len(hint)-2]},
		} {
			mustName("end_session", bad, func() {
				parameters := []string{"id_token_hint", hint, "client_id", "atlas", bad.param, bad.value}
				b.Copy().Do(http.MethodGet, providertest.EndSessionURL(parameters...), nil, nil)
			})
		}
	})
}

// TestErrorPageShowsTheRefusedHostAndARequestIDThatTheLogHas: so that the app's owner and the operator find each other.
func TestErrorPageShowsTheRefusedHostAndARequestIDThatTheLogHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := mustStartLogging(t, &log, slog.LevelInfo)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		hint := b.MustJoin("alice", "atlas").IDToken
		logoutTo := func(uri string) string {
			return providertest.EndSessionURL("id_token_hint", hint, "post_logout_redirect_uri", uri)
		}
		const long = "https://atlas.example/callback"
		for _, c := range []struct {
			request string
			shown   string // on the page
			param   string // in the log
		}{
			{
				providertest.AuthorizeURL("atlas", "redirect_uri", "https://staging.atlas.example:8443/callback"),
				"staging.atlas.example:8443", "redirect_uri",
			},
			{providertest.AuthorizeURL("atlas", "redirect_uri", "https://atlas.example/cb/"), "atlas.example", "redirect_uri"},
			{providertest.AuthorizeURL("atlas", "redirect_uri", "https://ATLAS.example/cb"), "ATLAS.example", "redirect_uri"},
			{providertest.AuthorizeURL("atlas", "redirect_uri", "https://a@b.example/cb"), "b.example", "redirect_uri"},
			{providertest.AuthorizeURL("atlas", "redirect_uri", "com.example.app:/cb"), "", "redirect_uri"},
			{providertest.AuthorizeURL("atlas", "redirect_uri", "%zz"), "", "redirect_uri"},
			{
				providertest.AuthorizeURL("atlas", "redirect_uri", "https://"+strings.Repeat("x", 9000)+".example/"),
				"", "redirect_uri",
			},
			{providertest.AuthorizeURL("atlas", "redirect_uri", ""), "redirect_uri", "redirect_uri"},
			{providertest.AuthorizeURL("nobody"), "client_id", "client_id"},
			{providertest.AuthorizeURL("nobody", "client_id", ""), "client_id", "client_id"},
			{providertest.AuthorizeURL("atlas") + "&redirect_uri=" + url.QueryEscape(long), "redirect_uri", "redirect_uri"},
			{providertest.AuthorizeURL("atlas") + "&client_id=atlas", "client_id", "client_id"},
			{logoutTo("https://evil.example/"), "post_logout_redirect_uri", "post_logout_redirect_uri"},
			{providertest.EndSessionURL("id_token_hint", "x"), "id_token_hint", "id_token_hint"},
			{providertest.EndSessionURL("client_id", "nobody"), "client_id", "client_id"},
			{providertest.EndSessionURL("id_token_hint", hint, "client_id", "other"), "client_id", "client_id"},
			{"/end_session?state=1&state=2", "state", "state"},
		} {
			log.Reset()
			p := o.Browser().Get(c.request)
			_, description, _ := strings.Cut(p.Body, `id="error-description">`)
			description, _, _ = strings.Cut(description, "</p>")
			if p.Status != http.StatusBadRequest || !strings.Contains(description, c.shown) {
				t.Errorf("%.120s: got %d %q, want 400 and %q", c.request, p.Status, description, c.shown)
			}
			if c.shown == "" && strings.Contains(description, "xxxx") {
				t.Errorf("%.120s: got %q, want no host", c.request, description)
			}
			lines := logLines(t, &log)
			id, _ := lines[0]["request"].(string)
			if id == "" || !strings.Contains(p.Body, id) || p.Header.Get("X-Request-Id") != id {
				t.Errorf(
					"%.120s: got request ID %q in the log and %q in the answer",
					c.request,
					id,
					p.Header.Get("X-Request-Id"),
				)
			}
			if lines[0]["msg"] != "request refused" || lines[0]["param"] != c.param || lines[0]["reason"] == "" {
				t.Errorf("%.120s: got %v, want the reason and the parameter %s", c.request, lines[0], c.param)
			}
		}
	})
}

// TestFilesAndHealthAreLoggedAtDebug: probes every few seconds must not bury the log.
func TestFilesAndHealthAreLoggedAtDebug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for level, want := range map[slog.Level]int{slog.LevelInfo: 0, slog.LevelDebug: 3} {
			var log bytes.Buffer
			o := mustStartLogging(t, &log, level)
			b := o.Browser()
			stylesheet := b.Get("/nowhere").Attribute("href")
			log.Reset()
			for _, path := range []string{"/healthz", "/readyz", stylesheet} {
				b.Do(http.MethodGet, path, nil, nil)
			}
			lines := logLines(t, &log)
			if len(lines) != want {
				t.Errorf("at %s: got %d lines, want %d: %v", level, len(lines), want, lines)
			}
			for _, line := range lines {
				if _, ok := line["took_ms"].(float64); !ok {
					t.Errorf("got %v, want took_ms as a number", line)
				}
			}
		}
	})
}

// TestEveryKnownErrorHasItsAnswers: an error of the store becomes the same kind of answer everywhere, and an unknown
// one says nothing.
func TestEveryKnownErrorHasItsAnswers(t *testing.T) {
	for _, c := range []struct {
		err                       error
		page, token, registration int
		authorization, admin      string
	}{
		{storage.ErrFull, 503, 503, 503, "temporarily_unavailable", "unavailable"},
		{storage.ErrUnavailable, 503, 503, 503, "temporarily_unavailable", "unavailable"},
		{password.ErrBusy, 503, 503, 503, "temporarily_unavailable", "unavailable"},
		{context.DeadlineExceeded, 503, 503, 503, "temporarily_unavailable", "unavailable"},
		{storage.ErrChanged, 409, 400, 409, "temporarily_unavailable", "changed"},
		{storage.ErrNotFound, 404, 400, 401, "login_required", "not_found"},
		{storage.ErrRevoked, 404, 400, 401, "login_required", "revoked"},
		{storage.ErrAlreadyUsed, 410, 400, 401, "login_required", "already_used"},
		{web.ErrInteraction, 400, 400, 400, "invalid_request", "internal"},
		{errors.New("disk /dev/sda burnt"), 500, 500, 500, "server_error", "internal"},
	} {
		err := fmt.Errorf("somewhere: %w", c.err)
		page, token, registration := web.PageErrorFrom(err), web.TokenErrorFrom(err), web.RegistrationErrorFrom(err)
		authorization := web.AuthorizationErrorFrom(err)
		_, admin, _ := web.AdminErrorFrom(err)
		if page.Status != c.page || token.Status != c.token || registration.Status != c.registration {
			t.Errorf(
				"%v: got %d, %d, %d; want %d, %d, %d",
				c.err,
				page.Status,
				token.Status,
				registration.Status,
				c.page,
				c.token,
				c.registration,
			)
		}
		if authorization.Code != c.authorization || admin != c.admin {
			t.Errorf("%v: got %s, %s; want %s, %s", c.err, authorization.Code, admin, c.authorization, c.admin)
		}
		if shown := string(page.Text) + page.Value + token.Description + authorization.Description; strings.Contains(
			shown,
			"burnt",
		) {
			t.Errorf("%v: the answer says %q", c.err, shown)
		}
	}
}

// TestInternalFailureIsOneErrorLine: someone should look. A request that its caller gave up is none.
func TestInternalFailureIsOneErrorLine(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	failure := web.TokenErrorFrom(fmt.Errorf("commit: %w", storage.ErrUnavailable))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	failure.Log(t.Context(), logger)
	failure.Log(gone, logger)
	lines := logLines(t, &log)
	for i, want := range []string{"ERROR", "INFO"} {
		if lines[i]["level"] != want || lines[i]["msg"] != "request failed" ||
			lines[i]["err"] != "commit: "+storage.ErrUnavailable.Error() {
			t.Errorf("got %v, want the cause at %s", lines[i], want)
		}
	}
}
