package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/filemode"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/upstream"
)

// UpstreamProviders returns the upstreams that the setting upstreams describes, in the order of their ids.
func (c *Config) UpstreamProviders() []policy.Upstream { return c.upstreams }

// upstreamID matches the ids of upstreams: they stand in URLs.
var upstreamID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}$`)

// checkUpstreams reads the setting upstreams and adds its problems.
func (l *loader) checkUpstreams() {
	text := l.config.Upstreams
	if len(text) == 0 {
		return
	}
	var byID map[string]json.RawMessage
	if err := json.Unmarshal(text, &byID); err != nil {
		l.addSettingProblem("upstreams", "%v", err)
		return
	}
	issuers := map[string]string{} // the id that has each issuer
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		u := policy.Upstream{ID: id}
		decoder := json.NewDecoder(bytes.NewReader(byID[id]))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&u); err != nil {
			l.addUpstreamProblem(u, "", "%s", strings.TrimPrefix(err.Error(), "json: "))
			continue
		}
		u.Name = cmp.Or(u.Name, id)
		u.Auth = cmp.Or(u.Auth, "client_secret_basic")
		u.Create = cmp.Or(u.Create, policy.CreateUsersOff)
		u.Logout = cmp.Or(u.Logout, policy.UpstreamLogoutAsk)
		u.SigningAlg = cmp.Or(u.SigningAlg, "RS256")
		if other := issuers[u.Issuer]; other != "" {
			l.addUpstreamProblem(u, "issuer", "is that of %s too; an issuer has one upstream", other)
		}
		issuers[u.Issuer] = id
		if u.RecheckKey != "" {
			var err error
			if u.Recheck, err = ParseDuration(u.RecheckKey); err != nil || u.Recheck < minRecheck {
				l.addUpstreamProblem(
					u,
					"recheck",
					"must be a duration of at least 1m, such as 15m, not %q",
					u.RecheckKey,
				)
			}
		}
		l.checkUpstream(u)
		u.Secret = l.upstreamSecret(u)
		l.config.upstreams = append(l.config.upstreams, u)
	}
}

// minRecheck is the shortest interval of silent checks: each one takes the browser to the upstream and back.
const minRecheck = time.Minute

// addUpstreamProblem adds a problem of one upstream.
func (l *loader) addUpstreamProblem(u policy.Upstream, key, format string, args ...any) {
	path := "upstreams." + u.ID
	if key != "" {
		path += "." + key
	}
	o, ok := l.config.origins["upstreams"]
	if !ok {
		o = l.lineOrigin(0)
	}
	l.addProblem(o, path, format, args...)
}

// upstreamChoice is a value that must be one of several.
type upstreamChoice struct {
	key     string
	value   string
	allowed []string
}

func (l *loader) checkUpstream(u policy.Upstream) {
	if !upstreamID.MatchString(u.ID) {
		l.addUpstreamProblem(u, "", "the id must be 1 to 31 of a-z, 0-9 and -: it stands in URLs")
	}
	issuer, err := url.Parse(u.Issuer)
	switch {
	case u.Issuer == "":
		l.addUpstreamProblem(u, "issuer", "is required: the issuer exactly as the upstream writes it")
	case err != nil || issuer.Host == "" || issuer.RawQuery != "" || issuer.Fragment != "" || issuer.User != nil:
		l.addUpstreamProblem(u, "issuer", "must be a URL such as https://id.example.org, not %q", u.Issuer)
	case issuer.Scheme != "https" && (issuer.Scheme != "http" || !isLoopback(issuer.Hostname())):
		l.addUpstreamProblem(u, "issuer", "must be https; http is allowed for this machine only")
	case u.Issuer == l.config.Issuer:
		l.addUpstreamProblem(u, "issuer", "is this provider's own")
	}
	if u.ClientID == "" {
		l.addUpstreamProblem(u, "client_id", "is required: what the upstream calls Curfew")
	}
	choices := []upstreamChoice{
		{"auth", u.Auth, []string{"client_secret_basic", "client_secret_post", "private_key_jwt"}},
		{"create_users", u.Create, []string{
			policy.CreateUsersOff, policy.CreateUsersAny, policy.CreateUsersDomains,
		}},
		{"logout", u.Logout, []string{
			policy.UpstreamLogoutAsk, policy.UpstreamLogoutAlways, policy.UpstreamLogoutNever,
		}},
		{"signing_alg", u.SigningAlg, l.config.Keys.Algorithms},
	}
	for _, alg := range u.IDTokenAlg {
		choices = append(choices, upstreamChoice{"id_token_algs", alg, upstream.SigningAlgs()})
	}
	for _, acr := range u.ACR {
		choices = append(choices, upstreamChoice{"acr", acr, authn.ACRValues()})
	}
	known := append(upstream.ProfileClaims(), "preferred_username", "email", "email_verified")
	for _, claim := range slices.Sorted(maps.Keys(u.Claims)) {
		choices = append(choices, upstreamChoice{"claims", claim, known})
	}
	for _, choice := range choices {
		if !slices.Contains(choice.allowed, choice.value) {
			l.addUpstreamProblem(u, choice.key, "must be one of %s, not %q",
				strings.Join(choice.allowed, ", "), choice.value)
		}
	}
	if len(u.Scopes) > 0 && !slices.Contains(u.Scopes, "openid") {
		l.addUpstreamProblem(u, "scopes", "must contain openid")
	}
	if u.Create == policy.CreateUsersDomains && len(u.Domains) == 0 {
		l.addUpstreamProblem(u, "create_users", "needs domains")
	}
}

// upstreamSecret returns the client secret in secret_file.
func (l *loader) upstreamSecret(u policy.Upstream) string {
	usesSecret := u.Auth != "private_key_jwt"
	switch {
	case usesSecret && u.SecretFile == "":
		l.addUpstreamProblem(u, "secret_file", "is required, unless auth is private_key_jwt")
		return ""
	case !usesSecret && u.SecretFile != "":
		l.addUpstreamProblem(u, "secret_file", "has no effect with auth private_key_jwt: remove it")
		return ""
	case !usesSecret:
		return ""
	}
	file := u.SecretFile
	if !filepath.IsAbs(file) {
		file = filepath.Join(l.folder, file)
	}
	info, err := os.Stat(file)
	if err == nil {
		if err := filemode.CheckSecret(file, info); err != nil {
			l.addUpstreamProblem(u, "secret_file", "%v", err)
			return ""
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		l.addUpstreamProblem(u, "secret_file", "%s: %v", file, withoutPath(err))
		return ""
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		l.addUpstreamProblem(u, "secret_file", "%s is empty", file)
	}
	return secret
}
