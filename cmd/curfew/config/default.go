package config

import (
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"time"

	"github.com/curfew-id/curfew/provider/register"
)

const day = 24 * time.Hour

// Default is what holds where nothing is said. Issuer and Data have no default; what depends on them is set by complete.
func Default() *Config {
	return &Config{
		Session: Session{
			Idle:             8 * time.Hour,
			Absolute:         24 * time.Hour,
			RememberIdle:     14 * day,
			RememberAbsolute: 30 * day,
			ExpiryNotice:     "tell",
		},
		Token: Token{
			Code:        60 * time.Second,
			Opaque:      time.Hour,
			JWT:         10 * time.Minute,
			ID:          10 * time.Minute,
			OfflineIdle: 90 * day,
		},
		Logout: Logout{
			Scope:           "session",
			PasswordChange:  "others",
			RefreshReuse:    "client",
			ReportRetention: 90 * day,
			Wait:            5 * time.Second,
		},
		Registration: Registration{Mode: "off"},
		Keys:         Keys{Algorithms: register.SigningAlgs(), RSABits: 2048},
		Log:          Log{Level: "info", Format: "auto"},
	}
}

// setDerivedDefaults sets the defaults that follow from other settings.
func (c *Config) setDerivedDefaults() {
	if c.KeyFile == "" && c.Data != "" {
		c.KeyFile = Path(filepath.Join(string(c.Data), "curfew.key"))
	}
	issuer, err := url.Parse(c.Issuer)
	if err != nil {
		return
	}
	if c.Listen == "" {
		c.Listen = defaultListen(issuer, c.TLS.Cert != "")
	}
	if c.behindProxy(issuer) && c.origins["trusted_proxies"] == (origin{}) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
}

// defaultListen is the issuer's own port where this process is what browsers reach, else a port on loopback for a proxy.
func defaultListen(issuer *url.URL, hasCertificate bool) string {
	switch port := issuer.Port(); {
	case hasCertificate && port == "":
		return ":443"
	case hasCertificate:
		return ":" + port
	case issuer.Scheme == "http" && port == "":
		return "127.0.0.1:80"
	case issuer.Scheme == "http" && issuer.Hostname() == "::1":
		return net.JoinHostPort("::1", port)
	case issuer.Scheme == "http":
		return net.JoinHostPort("127.0.0.1", port)
	}
	return "127.0.0.1:8080"
}

// BehindProxy tells whether TLS is ended by a proxy: the issuer is https and this process has no certificate.
func (c *Config) BehindProxy() bool {
	issuer, err := url.Parse(c.Issuer)
	return err == nil && c.behindProxy(issuer)
}

// BasePath is the path of the issuer, without a slash at its end; mostly it is empty.
func (c *Config) BasePath() string {
	issuer, err := url.Parse(c.Issuer)
	if err != nil {
		return ""
	}
	return issuer.Path
}

func (c *Config) behindProxy(issuer *url.URL) bool {
	return issuer.Scheme == "https" && c.TLS.Cert == ""
}
