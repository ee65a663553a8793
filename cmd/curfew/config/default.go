package config

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
)

// Default returns the defaults of all settings. Issuer and Data have no default; setDerivedDefaults sets the defaults
// that depend on them.
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
			panic("config: the default of " + s.path + ": " + err.Error()) // the field's tag is wrong
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
	_, proxiesGiven := c.origins["trusted_proxies"]
	if c.behindProxy(issuer) && !proxiesGiven {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
}

// defaultListen returns the default of listen. If browsers reach this process directly, that is the port of the issuer.
// Behind a proxy it is a loopback port.
func defaultListen(issuer *url.URL, hasCertificate bool) string {
	port := issuer.Port()
	if hasCertificate {
		return ":" + cmp.Or(port, "443")
	}
	if issuer.Scheme != "http" {
		return "127.0.0.1:8080"
	}
	if port == "" {
		return "127.0.0.1:80"
	}
	if issuer.Hostname() == "::1" {
		return net.JoinHostPort("::1", port)
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// BehindProxy reports whether a proxy ends TLS. That is so if the issuer is https and this process has no certificate.
func (c *Config) BehindProxy() bool {
	issuer, err := url.Parse(c.Issuer)
	return err == nil && c.behindProxy(issuer)
}

// BasePath returns the path of the issuer, without a slash at its end. It is empty for most issuers.
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
