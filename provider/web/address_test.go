package web

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestClientAddressIsReadAsProxiesWriteIt(t *testing.T) {
	const proxy, stranger = "10.0.0.2:1234", "192.0.2.99:1234"
	for name, c := range map[string]struct {
		peer      string
		forwarded []string // X-Forwarded-For lines
		standard  []string // Forwarded lines
		want      string
	}{
		"no proxy": {stranger, nil, nil, "192.0.2.99"},
		"a stranger's header": {
			stranger,
			[]string{"203.0.113.5"},
			[]string{"for=203.0.113.5"},
			"192.0.2.99",
		},
		"nginx, HAProxy, Envoy, Caddy":         {proxy, []string{"203.0.113.5"}, nil, "203.0.113.5"},
		"Azure Application Gateway":            {proxy, []string{"203.0.113.5:4711"}, nil, "203.0.113.5"},
		"AWS load balancer with client port":   {proxy, []string{"[2001:db8::7]:4711"}, nil, "2001:db8::7"},
		"AWS, IPv4 with port":                  {proxy, []string{"198.51.100.1, 203.0.113.5:80"}, nil, "203.0.113.5"},
		"Cloudflare, IPv6":                     {proxy, []string{"2001:db8::7"}, nil, "2001:db8::7"},
		"brackets without port":                {proxy, []string{"[2001:db8::7]"}, nil, "2001:db8::7"},
		"spaces":                               {proxy, []string{" 203.0.113.5 "}, nil, "203.0.113.5"},
		"empty parts":                          {proxy, []string{", 203.0.113.5, ,"}, nil, "203.0.113.5"},
		"IPv4 as IPv6":                         {proxy, []string{"::ffff:203.0.113.5"}, nil, "203.0.113.5"},
		"with a zone":                          {proxy, []string{"fe80::1%eth0"}, nil, "fe80::1"},
		"what the client wrote does not count": {proxy, []string{"6.6.6.6, 203.0.113.5"}, nil, "203.0.113.5"},
		"not even if it cannot be read":        {proxy, []string{"<script>, 203.0.113.5"}, nil, "203.0.113.5"},
		"two trusted proxies":                  {proxy, []string{"203.0.113.5, 10.9.9.9:80"}, nil, "203.0.113.5"},
		"two lines":                            {proxy, []string{"6.6.6.6", "203.0.113.5"}, nil, "203.0.113.5"},
		"a user in the trusted network":        {proxy, []string{"10.7.7.7"}, nil, "10.7.7.7"},
		"trusted IPv6 proxy":                   {"[fd00::2]:1234", []string{"203.0.113.5"}, nil, "203.0.113.5"},
		"no header":                            {proxy, nil, nil, "10.0.0.2"},
		"RFC 7239": {
			proxy,
			nil,
			[]string{`for=203.0.113.5;proto=https;by=10.0.0.2`},
			"203.0.113.5",
		},
		"RFC 7239, IPv6 with port": {
			proxy,
			nil,
			[]string{`For="[2001:db8:cafe::17]:4711"`},
			"2001:db8:cafe::17",
		},
		"RFC 7239, IPv4 with port":    {proxy, nil, []string{`for="203.0.113.5:80"`}, "203.0.113.5"},
		"RFC 7239, hidden port":       {proxy, nil, []string{`for="203.0.113.5:_p"`}, "203.0.113.5"},
		"RFC 7239, two hops":          {proxy, nil, []string{`for=203.0.113.5, for=10.9.9.9`}, "203.0.113.5"},
		"RFC 7239, two lines":         {proxy, nil, []string{`for=6.6.6.6`, `for=203.0.113.5`}, "203.0.113.5"},
		"RFC 7239, quoted separators": {proxy, nil, []string{`host="a,b;c\"";for=203.0.113.5`}, "203.0.113.5"},
		"RFC 7239, empty parts":       {proxy, nil, []string{`for=203.0.113.5, ,`}, "203.0.113.5"},
		"both": {
			proxy,
			[]string{"203.0.113.5"},
			[]string{"for=6.6.6.6"},
			"203.0.113.5",
		},

		"tabs":                          {proxy, []string{"6.6.6.6,\t203.0.113.5\t"}, nil, "203.0.113.5"},
		"brackets around IPv4":          {proxy, []string{"[203.0.113.5]:80"}, nil, "203.0.113.5"},
		"IPv4 as IPv6 with port":        {proxy, []string{"[::ffff:203.0.113.5]:80"}, nil, "203.0.113.5"},
		"upper case":                    {proxy, []string{"2001:DB8::7"}, nil, "2001:db8::7"},
		"an empty line after it":        {proxy, []string{"203.0.113.5", ""}, nil, "203.0.113.5"},
		"empty line and Forwarded":      {proxy, []string{""}, []string{"for=203.0.113.5"}, "203.0.113.5"},
		"RFC 7239, unquoted brackets":   {proxy, nil, []string{`for=[2001:db8::7]`}, "2001:db8::7"},
		"RFC 7239, spaces around pairs": {proxy, nil, []string{`by=10.0.0.2 ; for=203.0.113.5 `}, "203.0.113.5"},
		"RFC 7239, upper case":          {proxy, nil, []string{`FOR=203.0.113.5;PROTO=https`}, "203.0.113.5"},
		"RFC 7239, empty pairs":         {proxy, nil, []string{`;for=203.0.113.5;;`}, "203.0.113.5"},
		"an empty header":               {proxy, []string{""}, nil, ""},
		"empty parts only":              {proxy, []string{" , ,"}, nil, ""},
		"RFC 7239, an empty header":     {proxy, nil, []string{""}, ""},
		"port beyond 65535":             {proxy, []string{"203.0.113.5:99999"}, nil, ""},
		"a leading zero":                {proxy, []string{"203.0.113.05"}, nil, ""},
		"two ports":                     {proxy, []string{"203.0.113.5:80:80"}, nil, ""},
		"a network":                     {proxy, []string{"203.0.113.0/24"}, nil, ""},
		"a URL":                         {proxy, []string{"http://203.0.113.5"}, nil, ""},
		"unknown":                       {proxy, []string{"unknown"}, nil, ""},
		"a name":                        {proxy, []string{"laptop.example.org"}, nil, ""},
		"bad port":                      {proxy, []string{"203.0.113.5:x"}, nil, ""},
		"half a bracket":                {proxy, []string{"[2001:db8::7:80"}, nil, ""},
		"RFC 7239, unknown":             {proxy, nil, []string{"for=unknown"}, ""},
		"RFC 7239, hidden":              {proxy, nil, []string{"for=_secret"}, ""},
		"RFC 7239, without for":         {proxy, nil, []string{"proto=https"}, ""},
		"RFC 7239, open quoted string":  {proxy, nil, []string{`for="203.0.113.5`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Site{
				TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
				Log:            slog.New(slog.DiscardHandler),
			}
			r := &http.Request{
				RemoteAddr: c.peer,
				Header:     http.Header{"X-Forwarded-For": c.forwarded, "Forwarded": c.standard},
			}
			if got := s.ClientAddress(r); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestUnreadableAddressIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	s := &Site{
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Log:            slog.New(slog.NewTextHandler(&log, nil)),
	}
	for range 3 {
		s.ClientAddress(
			&http.Request{
				RemoteAddr: "10.0.0.2:1",
				Header:     http.Header{"X-Forwarded-For": {strings.Repeat("x", 5000)}},
			},
		)
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 || len(log.String()) > 400 ||
		!strings.Contains(log.String(), "10.0.0.2") {
		t.Errorf("got %d lines, %d bytes:\n%.500s", lines, log.Len(), log.String())
	}
}
