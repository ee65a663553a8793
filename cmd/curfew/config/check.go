package config

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/register"
)

// check notes values that are readable but cannot be meant.
func (l *loader) check() {
	c := l.config
	l.checkIssuer()
	if c.Data == "" && !l.fileUnreadable {
		l.addKeyProblem("data", "is needed: the folder that keeps everything, such as /var/lib/curfew")
	}
	l.checkAddress("listen", c.Listen)
	l.checkAddress("metrics.listen", c.Metrics.Listen)
	if c.Metrics.Listen != "" && c.Metrics.Listen == c.Listen {
		l.addKeyProblem("metrics.listen", "%s is where the provider listens; metrics have an address of their own", c.Listen)
	}
	l.checkTLS()
	l.checkEgress()
	l.checkLifetimes()
	l.checkRegistration()
	l.checkAlgorithms()
}

func (l *loader) checkAlgorithms() {
	algs := l.config.Keys.Algorithms
	for _, alg := range algs {
		if !slices.Contains(register.SigningAlgs(), alg) {
			l.addKeyProblem("keys.algorithms", "%q is not one of %s", alg, strings.Join(register.SigningAlgs(), ", "))
		}
	}
	if !slices.Contains(algs, "RS256") {
		l.addKeyProblem("keys.algorithms", "has to hold RS256 (OpenID Connect Core 1.0 §15.1)")
	}
}

func (l *loader) checkRegistration() {
	r := l.config.Registration
	if len(r.Defaults) == 0 {
		return
	}
	if r.Mode != "open" {
		l.addKeyProblem("registration.defaults", "only open registration has defaults; an initial access token carries its own")
	}
	var problems register.Problems
	if err := register.CheckDefaults(r.Defaults); errors.As(err, &problems) {
		for _, problem := range problems {
			l.addKeyProblem("registration.defaults", "%v", problem)
		}
	} else if err != nil {
		l.addKeyProblem("registration.defaults", "%v", err)
	}
}

// addKeyProblem notes a problem where the key was given, or with the file if it was not.
func (l *loader) addKeyProblem(key, format string, args ...any) {
	o, ok := l.config.origins[key]
	if !ok {
		o = origin{name: "configuration"}
		if l.file != "" {
			o = l.lineOrigin(0)
		}
	}
	l.addProblem(o, key, format, args...)
}

func (l *loader) checkIssuer() {
	issuer := l.config.Issuer
	if issuer == "" && l.fileUnreadable {
		return // it may stand in the file
	}
	if issuer == "" {
		l.addKeyProblem("issuer", "is needed: the https URL at which browsers and applications reach this provider")
		return
	}
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Opaque != "" || u.Host == "" || u.Hostname() == "":
		l.addKeyProblem("issuer", "%q is not a URL such as https://id.example.org", issuer)
	case u.Scheme != "https" && u.Scheme != "http":
		l.addKeyProblem("issuer", "has to start with https://")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		l.addKeyProblem("issuer", "has to be https; http is for localhost, *.localhost, 127.0.0.1 and [::1] only")
	case u.User != nil:
		l.addKeyProblem("issuer", "cannot carry a user name or password")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(issuer, "#"):
		l.addKeyProblem("issuer", "cannot have a query or a fragment (OpenID Connect Discovery 1.0 §3)")
	case strings.HasSuffix(issuer, "/"):
		l.addKeyProblem("issuer", "is compared letter by letter by applications: write %s, without a slash at its end", strings.TrimRight(issuer, "/"))
	case u.Host != strings.ToLower(u.Host):
		l.addKeyProblem("issuer", "write the host in lower case: browsers do")
	case u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80":
		l.addKeyProblem("issuer", "leave out :%s: browsers do", u.Port())
	case u.EscapedPath() != u.Path || strings.Contains(u.Path, "//") || strings.Contains(u.Path, "/."):
		l.addKeyProblem("issuer", "its path has to be plain, without escapes, empty parts or dots")
	}
}

// isLoopback tells whether a host name never leaves this machine: *.localhost (RFC 6761 §6.3) and loopback addresses.
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
		l.addKeyProblem(key, "%q is not an address such as 127.0.0.1:8080 or :443", address)
	}
}

func (l *loader) checkTLS() {
	cert, key := l.config.TLS.Cert, l.config.TLS.Key
	issuer, err := url.Parse(l.config.Issuer)
	switch {
	case cert == "" && key == "":
	case key == "":
		l.addKeyProblem("tls.cert", "needs tls.key beside it")
	case cert == "":
		l.addKeyProblem("tls.key", "needs tls.cert beside it")
	case err == nil && issuer.Scheme == "http":
		l.addKeyProblem("tls.cert", "a certificate is of no use while issuer is http")
	default:
		if _, err := tls.LoadX509KeyPair(string(cert), string(key)); err != nil {
			l.addKeyProblem("tls.cert", "%v", err)
		}
	}
}

func (l *loader) checkEgress() {
	e := l.config.Egress
	var ca []byte
	if e.CA != "" {
		var err error
		if ca, err = os.ReadFile(string(e.CA)); err != nil {
			l.addKeyProblem("egress.ca", "%s: %v", e.CA, withoutPath(err))
		}
	}
	client, err := egress.New(egress.Config{Allow: e.Allow, CA: ca})
	if err == nil {
		client.Close()
		return
	}
	for line := range strings.Lines(err.Error()) {
		key, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		l.addKeyProblem(key, "%s", text)
	}
}

func (l *loader) checkLifetimes() {
	c := l.config
	for _, k := range l.keys {
		if d, ok := k.value.Interface().(time.Duration); ok && d <= 0 && !mayBeZero(k.path) {
			l.addKeyProblem(k.path, "has to be longer than 0")
		}
	}
	requireAtMost := func(key string, d time.Duration, limitName string, maximum time.Duration) {
		if d > maximum {
			l.addKeyProblem(key, "%s is longer than %s (%s)", FormatDuration(d), limitName, FormatDuration(maximum))
		}
	}
	requireAtMost("session.idle", c.Session.Idle, "session.absolute", c.Session.Absolute)
	requireAtMost("session.keep_idle", c.Session.RememberIdle, "session.keep_absolute", c.Session.RememberAbsolute)
	// RFC 6749 §4.1.2: "A maximum authorization code lifetime of 10 minutes is RECOMMENDED."
	requireAtMost("token.code", c.Token.Code, "the most a code may live", 10*time.Minute)
	requireAtMost("logout.wait", c.Logout.Wait, "the most a browser may be kept", time.Minute)
}

// mayBeZero names the settings that 0 turns off.
func mayBeZero(path string) bool {
	return slices.Contains([]string{"max_trust_horizon", "keys.rotate_after", "token.offline_idle", "logout.wait"}, path)
}
