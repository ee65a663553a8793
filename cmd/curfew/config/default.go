package config

import (
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
)

// Default returns the settings that hold if the operator gives none. Issuer and Data have no default;
// setDerivedDefaults sets the defaults that depend on them.
func Default() *Config {
	c := &Config{}
	for _, s := range settingsOf(c) {
		if s.defaultText == "" {
			continue
		}
		texts := []string{s.defaultText}
		if s.isList() {
			texts = strings.Split(s.defaultText, ",")
		}
		if err := s.set(texts, ""); err != nil {
			panic("config: the default of " + s.path + ": " + err.Error()) // its tag is wrong
		}
	}
	return c
}

// setDerivedDefaults sets the defaults that depend on other settings.
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

// defaultListen is the issuer's own port if browsers reach this process directly, else a port on loopback for a proxy.
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

// BehindProxy reports whether a proxy ends TLS: the issuer is https and this process has no certificate.
func (c *Config) BehindProxy() bool {
	issuer, err := url.Parse(c.Issuer)
	return err == nil && c.behindProxy(issuer)
}

// BasePath is the path of the issuer, without a slash at its end. Usually it is empty.
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
