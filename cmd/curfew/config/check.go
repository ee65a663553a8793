package config

import (
	"crypto/tls"
	"errors"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/curfew-id/curfew/cmd/curfew/archive"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/storage/postgres"
)

// check adds the problems of values that are well formed but not allowed, or not allowed together.
func (l *loader) check() {
	c := l.config
	l.checkIssuer()
	l.checkAudit()
	if c.Data == "" && !l.fileUnreadable {
		l.addSettingProblem("data", "is required: the folder with all data, such as /var/lib/curfew")
	}
	l.checkAddress("listen", c.Listen)
	l.checkAddress("metrics.listen", c.Metrics.Listen)
	if c.Metrics.Listen != "" && c.Metrics.Listen == c.Listen {
		l.addSettingProblem("metrics.listen", "must be another address than listen (%s)", c.Listen)
	}
	l.checkTLS()
	l.checkSessionCookie()
	l.checkPassword()
	l.checkStore()
	l.checkBackup()
	l.checkMail()
	l.checkEgress()
	l.checkLimits()
	l.checkRegistration()
	l.checkAlgorithms()
	l.checkUpstreams()
	l.checkAPIScopes()
}

func (l *loader) checkBackup() {
	c := l.config
	if _, err := archive.ParseRecipients(c.Backup.Recipients); err != nil {
		l.addSettingProblem("backup.recipients", "%v", err)
	}
	if c.Backup.Schedule != 0 && c.Store.URL != "" {
		l.addSettingProblem(
			"backup.schedule",
			"is for the store in the data folder; back up the database of store.url itself",
		)
	}
}

func (l *loader) checkAlgorithms() {
	algs := l.config.Keys.Algorithms
	for _, alg := range algs {
		if !slices.Contains(register.SigningAlgs(), alg) {
			l.addSettingProblem(
				"keys.algorithms",
				"must be one of %s, not %q",
				strings.Join(register.SigningAlgs(), ", "),
				alg,
			)
		}
	}
	if !slices.Contains(algs, "RS256") {
		l.addSettingProblem("keys.algorithms", "must contain RS256 (OpenID Connect Core 1.0 §15.1)")
	}
}

func (l *loader) checkRegistration() {
	r := l.config.Registration
	text := strings.TrimSpace(string(r.Defaults))
	noDefaults := text == "" || text == "{}" // `config print` writes {} for no defaults
	if noDefaults {
		return
	}
	if r.Mode != "open" {
		l.addSettingProblem(
			"registration.defaults",
			"needs registration.mode open; an initial access token carries its own defaults",
		)
	}
	var problems register.Problems
	if err := register.CheckDefaults(r.Defaults); errors.As(err, &problems) {
		for _, problem := range problems {
			l.addSettingProblem("registration.defaults", "%v", problem)
		}
	} else if err != nil {
		l.addSettingProblem("registration.defaults", "%v", err)
	}
}

// addSettingProblem adds a problem of a setting. Its place is the line or the variable with the setting. If the setting
// has its default, its place is the file.
func (l *loader) addSettingProblem(key, format string, args ...any) {
	o, isGiven := l.config.origins[key]
	if !isGiven {
		o = origin{name: "configuration"}
		if l.file != "" {
			o = l.lineOrigin(0)
		}
	}
	l.addProblem(o, key, format, args...)
}

// checkAudit checks the URL for checkpoints.
func (l *loader) checkAudit() {
	text := l.config.Audit.CheckpointURL
	if text == "" {
		return
	}
	const problem = "is no URL: write one such as https://log.example/checkpoints"
	u, err := url.Parse(text)
	if err != nil {
		l.addSettingProblem("audit.checkpoint_url", problem)
		return
	}
	isHTTP := u.Scheme == "https" || u.Scheme == "http"
	if !isHTTP || u.Host == "" || u.User != nil || u.Fragment != "" {
		l.addSettingProblem("audit.checkpoint_url", problem)
	}
}

func (l *loader) checkIssuer() {
	issuer := l.config.Issuer
	if issuer == "" && l.fileUnreadable {
		return // the file may have it
	}
	if issuer == "" {
		l.addSettingProblem("issuer", "is required: the https URL at which browsers and apps reach this provider")
		return
	}
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Opaque != "" || u.Host == "" || u.Hostname() == "":
		l.addSettingProblem("issuer", "must be a URL such as https://id.example.org, not %q", issuer)
	case u.Scheme != "https" && u.Scheme != "http":
		l.addSettingProblem("issuer", "must start with https://")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		l.addSettingProblem(
			"issuer",
			"must be https; http is allowed for localhost, *.localhost, 127.0.0.1 and [::1] only",
		)
	case u.User != nil:
		l.addSettingProblem("issuer", "must not contain a user name or password")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(issuer, "#"):
		l.addSettingProblem("issuer", "must not have a query or a fragment (OpenID Connect Discovery 1.0 §3)")
	case strings.HasSuffix(issuer, "/"):
		l.addSettingProblem(
			"issuer",
			"must not end with a slash, since apps compare it byte by byte: write %s",
			strings.TrimRight(issuer, "/"),
		)
	case u.Host != strings.ToLower(u.Host):
		l.addSettingProblem("issuer", "must have its host in lower case, as browsers send it")
	case hasDefaultPort(u):
		l.addSettingProblem("issuer", "must not contain the default port :%s: browsers leave it out", u.Port())
	case u.EscapedPath() != u.Path || strings.Contains(u.Path, "//") || strings.Contains(u.Path, "/."):
		l.addSettingProblem("issuer", "must have a plain path, without escapes, empty segments or dot segments")
	}
}

func hasDefaultPort(u *url.URL) bool {
	switch u.Scheme {
	case "https":
		return u.Port() == "443"
	case "http":
		return u.Port() == "80"
	}
	return false
}

// isLoopback reports whether a host names this machine: *.localhost (RFC 6761 §6.3) or a loopback address.
func isLoopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func (l *loader) checkAddress(key, address string) {
	if address == "" {
		return
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		l.addSettingProblem(key, "must be an address such as 127.0.0.1:8080 or :443, not %q", address)
	}
}

func (l *loader) checkSessionCookie() {
	if l.config.Session.CrossSiteCookie() && !strings.HasPrefix(l.config.Issuer, "https://") {
		l.addSettingProblem("session.cookie_samesite", "none needs an https issuer: browsers refuse the cookie otherwise")
	}
}

func (l *loader) checkTLS() {
	cert := l.config.TLS.Cert
	key := l.config.TLS.Key
	issuer, err := url.Parse(l.config.Issuer)
	switch {
	case cert == "" && key == "":
	case key == "":
		l.addSettingProblem("tls.cert", "needs tls.key too")
	case cert == "":
		l.addSettingProblem("tls.key", "needs tls.cert too")
	case err == nil && issuer.Scheme == "http":
		l.addSettingProblem("tls.cert", "has no effect while issuer is http: remove it, or make issuer https")
	default:
		if _, err := tls.LoadX509KeyPair(string(cert), string(key)); err != nil {
			l.addSettingProblem("tls.cert", "%v", err)
		}
	}
}

func (l *loader) checkPassword() {
	l.checkMinLength("password.min_length", l.config.Password.MinLength)
	l.checkMinLength("password.min_length_with_second_factor", l.config.Password.MinLengthWithSecondFactor)
	if file := l.config.Password.BreachedFile; file != "" {
		if _, err := password.OpenBreachedList(string(file)); err != nil {
			l.addSettingProblem("password.breached_file", "%v", err)
		}
	}
}

func (l *loader) checkMinLength(key string, length int) {
	const least, most = 8, 64 // NIST SP 800-63B-4 §3.1.1.2: at least 8, and passwords of 64 must be possible
	if length < least || length > most {
		l.addSettingProblem(key, "must be %d to %d characters", least, most)
	}
}

func (l *loader) checkStore() {
	store := l.config.Store
	if store.URL == "" {
		return
	}
	if err := postgres.CheckURL(string(store.URL)); err != nil {
		l.addSettingProblem("store.url", "%v", err)
	}
	if err := postgres.CheckSchema(store.Schema); err != nil {
		l.addSettingProblem("store.schema", "%v", err)
	}
	if store.PasswordFile != "" {
		if _, err := os.ReadFile(string(store.PasswordFile)); err != nil {
			l.addSettingProblem("store.password_file", "%s: %v", store.PasswordFile, withoutPath(err))
		}
	}
}

func (l *loader) checkMail() {
	m := l.config.Mail
	if l.config.SignUp.Mode != "off" && m.Host == "" {
		l.addSettingProblem("sign_up.mode", "must be off without mail.host: the address of a new user is verified by mail")
	}
	if m.Host == "" {
		if m.From != "" || m.Username != "" || m.PasswordFile != "" {
			l.addSettingProblem("mail.host", "is required for the other settings of mail: the mail server")
		}
		return
	}
	if _, err := mail.ParseAddress(m.From); err != nil {
		l.addSettingProblem("mail.from", "must be the sender's address, such as Example <login@example.org>")
	}
	if m.Port > 65535 {
		l.addSettingProblem("mail.port", "must be at most 65535")
	}
	if m.Security == "none" && !isLoopback(m.Host) {
		l.addSettingProblem("mail.security", "must be starttls or tls unless mail.host is this machine (localhost)")
	}
	if (m.Username == "") != (m.PasswordFile == "") {
		l.addSettingProblem("mail.username", "and mail.password_file go together")
	}
	if m.Username != "" && m.Security == "none" {
		l.addSettingProblem("mail.username", "needs mail.security starttls or tls: a login is not sent unencrypted")
	}
	if m.PasswordFile != "" {
		if _, err := os.ReadFile(string(m.PasswordFile)); err != nil {
			l.addSettingProblem("mail.password_file", "%s: %v", m.PasswordFile, withoutPath(err))
		}
	}
}

func (l *loader) checkEgress() {
	e := l.config.Egress
	var ca []byte
	if e.CA != "" {
		var err error
		ca, err = os.ReadFile(string(e.CA))
		if err != nil {
			l.addSettingProblem("egress.ca", "%s: %v", e.CA, withoutPath(err))
		}
	}
	configs := []egress.Config{
		{Allow: e.Allow, CA: ca},
		{Allow: l.config.Registration.EgressAllow, AllowSetting: "registration.egress_allow"},
	}
	for _, c := range configs {
		client, err := egress.New(c)
		if err == nil {
			client.Close()
			continue
		}
		for line := range strings.Lines(err.Error()) {
			key, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
			l.addSettingProblem(key, "%s", text)
		}
	}
}

// checkLimits checks every number and duration against the limits that its field declares.
func (l *loader) checkLimits() {
	durations := map[string]time.Duration{}
	for _, s := range l.settings {
		if d, ok := s.value.Interface().(time.Duration); ok {
			durations[s.path] = d
		}
	}
	for _, s := range l.settings {
		switch value := s.value.Interface().(type) {
		case int:
			isForbiddenZero := value == 0 && !s.mayBeZero
			if value < 0 || isForbiddenZero {
				l.addSettingProblem(s.path, "must be greater than 0")
			}
		case time.Duration:
			if value <= 0 && !s.mayBeZero {
				l.addSettingProblem(s.path, "must be longer than 0")
			}
			if s.max != "" {
				l.checkMaximum(s, value, durations)
			}
		}
	}
}

// checkMaximum checks a duration against its maximum: the value of another setting in durations, or a literal.
func (l *loader) checkMaximum(s setting, value time.Duration, durations map[string]time.Duration) {
	maximum, isSetting := durations[s.max]
	if !isSetting {
		maximum, _ = ParseDuration(s.max) // TestLimitsOfSettingsAreReadable checks the literals
	}
	text := FormatDuration(value)
	switch {
	case value <= maximum:
	case isSetting:
		l.addSettingProblem(s.path, "%s is longer than %s (%s)", text, s.max, FormatDuration(maximum))
	default:
		l.addSettingProblem(s.path, "%s is longer than the maximum, %s", text, s.max)
	}
}
