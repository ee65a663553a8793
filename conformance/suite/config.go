package suite

import (
	"crypto/rand"
	"fmt"
	"maps"
	"strings"
)

// Setup has the values of a run that its configuration needs.
type Setup struct {
	Suite    string         // the suite's origin
	Issuer   string         // the OP's issuer
	Metadata map[string]any // the OP's discovery document, for runs with static metadata
	User     User
	// Alias is a part of the run's URLs at the suite. It is empty with dynamic registration: then each module has
	// URLs of its own.
	Alias         string
	StaticClients *StaticClients // nil with dynamic registration
}

// NewAlias returns an alias that no other run uses. Modules with the same alias must run one after another.
func NewAlias() string { return "curfew-" + strings.ToLower(rand.Text()[:10]) }

// Base returns the prefix of an alias's URLs.
func Base(suite, alias string) string { return suite + "/test/a/" + alias }

// Config returns the suite's configuration for a run.
func Config(r Run, s Setup) map[string]any {
	pages := Pages{Suite: s.Suite, Issuer: s.Issuer, User: s.User}
	config := map[string]any{
		"description": fmt.Sprintf("Curfew: %s %s", r.Plan, r.Title()),
		"server":      server(r, s),
		"browser":     []Script{},
		// The suite's pages load style sheets from public hosts, for which the suite's browser would wait.
		"options": map[string]any{"browsercontrol_css_enable": false},
	}
	if r.Browser == "" {
		config["browser"] = pages.Standard()
		config["override"] = pages.Overrides()
	}
	if s.Alias != "" {
		config["alias"] = s.Alias
	}
	if s.StaticClients != nil {
		s.StaticClients.configure(config)
	} else {
		config["client"] = map[string]any{"client_name": "Conformance suite (first)"}
		config["client2"] = map[string]any{"client_name": "Conformance suite (second)"}
	}
	return config
}

func server(r Run, s Setup) map[string]any {
	if r.Variant["server_metadata"] != "static" {
		return map[string]any{
			"discoveryUrl": s.Issuer + "/.well-known/openid-configuration",
			"login_hint":   s.User.Username,
		}
	}
	static := map[string]any{"login_hint": s.User.Username}
	maps.Copy(static, s.Metadata)
	if acr, ok := s.Metadata["acr_values_supported"].([]any); ok && len(acr) > 0 {
		static["acr_values"] = acr[0]
	}
	return static
}
