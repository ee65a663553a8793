package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// APIScopes returns the scopes of APIs that the setting scopes declares.
func (c *Config) APIScopes() storage.APIScopes { return c.apiScopes }

// apiScopeSettings are the settings of one scope. Its name is the key.
type apiScopeSettings struct {
	Audience    oneOrMore    `json:"audience"`
	Description textByLocale `json:"description"`
	Clients     []string     `json:"clients"`
	Groups      []string     `json:"groups"`
}

// oneOrMore is a text or a list of texts.
type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*o = oneOrMore{one}
		return nil
	}
	if json.Unmarshal(text, (*[]string)(o)) != nil {
		return errors.New("audience must be a text or a list of texts")
	}
	return nil
}

// textByLocale is a text for all languages, under the key "", or one for each language.
type textByLocale map[string]string

func (t *textByLocale) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*t = textByLocale{"": one}
		return nil
	}
	if json.Unmarshal(text, (*map[string]string)(t)) != nil {
		return errors.New("description must be a text or a mapping of languages to texts")
	}
	return nil
}

// maxDescription is how long the description of a scope may be, in bytes: it is one line of the consent page.
const maxDescription = 300

// checkAPIScopes reads the setting scopes and adds its problems.
func (l *loader) checkAPIScopes() {
	text := l.config.Scopes
	if len(text) == 0 {
		return
	}
	var byName map[string]json.RawMessage
	if err := json.Unmarshal(text, &byName); err != nil {
		l.addSettingProblem("scopes", "%v", err)
		return
	}
	l.config.apiScopes = storage.APIScopes{}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		var settings apiScopeSettings
		decoder := json.NewDecoder(bytes.NewReader(byName[name]))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&settings); err != nil {
			l.addSettingProblem("scopes", "%s: %s", name, strings.TrimPrefix(err.Error(), "json: "))
			continue
		}
		l.checkAPIScope(name, settings)
		l.config.apiScopes[name] = &storage.APIScope{
			Name:        name,
			Audience:    settings.Audience,
			Description: settings.Description,
			Clients:     settings.Clients,
			Groups:      storage.SortGroups(settings.Groups),
		}
	}
}

func (l *loader) checkAPIScope(name string, s apiScopeSettings) {
	add := func(format string, args ...any) {
		l.addSettingProblem("scopes", "%s: "+format, append([]any{name}, args...)...)
	}
	if !isScopeToken(name) {
		add("the name of a scope has letters, digits and punctuation, without spaces, quotes and backslashes")
	}
	if slices.Contains(storage.OwnScopes(), name) {
		add("is a scope of Curfew itself; choose another name")
	}
	if len(s.Audience) == 0 {
		add("audience is missing: the API for which the access tokens are, such as https://orders.example.org")
	}
	for _, audience := range s.Audience {
		if audience == "" || audience == l.config.Issuer {
			add("audience must name the API, not %q", audience)
		}
	}
	for _, group := range s.Groups {
		if err := storage.CheckGroupName(group); err != nil {
			add("%v", err)
		}
	}
	if slices.Contains(s.Clients, "") {
		add("clients has an empty client_id")
	}
	isLanguage := func(tag string) bool {
		return slices.ContainsFunc(templates.Languages(), func(l templates.Language) bool { return l.Tag == tag })
	}
	for _, tag := range slices.Sorted(maps.Keys(s.Description)) {
		if tag != "" && !isLanguage(tag) {
			add("description: %q is not a language of the pages", tag)
		}
		if len(s.Description[tag]) > maxDescription {
			add("description is longer than %d bytes", maxDescription)
		}
	}
}

// isScopeToken reports whether text is a scope-token (RFC 6749 §3.3).
func isScopeToken(text string) bool {
	isForbidden := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }
	return text != "" && !strings.ContainsFunc(text, isForbidden)
}
