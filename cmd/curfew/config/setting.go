package config

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/storage"
)

// setting is one field of Config, and what its struct tags say.
type setting struct {
	path          string        // such as session.idle
	value         reflect.Value // the field of Config; it can be set
	defaultText   string        // empty: no default
	noDefaultText string        // shown in the documentation if there is no default, such as "required"
	allowed       []string      // the allowed values; empty: any value of the type
	mayBeZero     bool          // for durations and numbers
	max           string        // for durations: a literal, or the path of the setting that is the maximum
}

// envName returns the name of the setting's environment variable.
func (s setting) envName() string {
	return "CURFEW_" + strings.ToUpper(strings.ReplaceAll(s.path, ".", "_"))
}

// settingsOf returns the settings of c in the order of the struct's fields.
func settingsOf(c *Config) []setting {
	var settings []setting
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for i := range v.NumField() {
			field := v.Type().Field(i)
			name := field.Tag.Get("yaml")
			switch {
			case name == "":
			case field.Type.Kind() == reflect.Struct:
				walk(prefix+name+".", v.Field(i))
			default:
				settings = append(settings, setting{
					path:          prefix + name,
					value:         v.Field(i),
					defaultText:   field.Tag.Get("default"),
					noDefaultText: cmp.Or(field.Tag.Get("nodefault"), "none"),
					allowed:       strings.Fields(field.Tag.Get("oneof")),
					mayBeZero:     field.Tag.Get("min") == "0",
					max:           field.Tag.Get("max"),
				})
			}
		}
	}
	walk("", reflect.ValueOf(c).Elem())
	return settings
}

// isList reports whether the setting can have several values.
func (s setting) isList() bool {
	return s.value.Kind() == reflect.Slice && s.value.Type() != reflect.TypeFor[json.RawMessage]()
}

// set parses texts and sets the value. texts has at least one element, and only a list has more than one. Relative
// paths start at folder.
func (s setting) set(texts []string, folder string) error {
	text := strings.TrimSpace(texts[0])
	if len(s.allowed) > 0 && !slices.Contains(s.allowed, text) {
		return fmt.Errorf("must be one of %s, not %q", strings.Join(s.allowed, ", "), text)
	}
	switch field := s.value.Addr().Interface().(type) {
	case *Path:
		if text != "" && !filepath.IsAbs(text) {
			text = filepath.Join(folder, text)
		}
		*field = Path(text)
	case *bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("must be true or false, not %q", text)
		}
		*field = text == "true"
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("must be a whole number, not %q", text)
		}
		*field = n
	case *time.Duration:
		d, err := ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is %w", text, err)
		}
		*field = d
	case *[]string:
		*field = texts
	case *[]netip.Prefix:
		prefixes, err := parsePrefixes(texts)
		if err != nil {
			return err
		}
		*field = prefixes
	case *json.RawMessage:
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &object); err != nil || object == nil {
			return errors.New("must be a mapping of keys to values")
		}
		*field = nil // also for {}, which `config print` writes for no value
		if len(object) > 0 {
			*field = json.RawMessage(text)
		}
	case *policy.GroupRequirements:
		return setGroupRequirements(field, text)
	default:
		if s.value.Kind() == reflect.String {
			s.value.SetString(text)
			return nil
		}
		panic("config: set cannot read a " + s.value.Type().String()) // a new type of field needs its case here
	}
	return nil
}

// setGroupRequirements reads a mapping of groups to values of authn.require.
func setGroupRequirements(field *policy.GroupRequirements, text string) error {
	if err := json.Unmarshal([]byte(text), field); err != nil || *field == nil {
		return errors.New("must be a mapping of groups to password, mfa or passkey")
	}
	if len(*field) == 0 { // `config print` writes {} for no value
		*field = nil
	}
	var errs []error
	for _, group := range slices.Sorted(maps.Keys(*field)) {
		value := (*field)[group]
		if err := storage.CheckGroupName(group); err != nil {
			errs = append(errs, err)
		}
		if !slices.Contains([]string{"password", "mfa", "passkey"}, value) {
			errs = append(errs, fmt.Errorf("group %q must have one of password, mfa, passkey, not %q", group, value))
		}
	}
	return errors.Join(errs...)
}

func parsePrefixes(texts []string) ([]netip.Prefix, error) {
	prefixes := []netip.Prefix{}
	var errs []error
	for _, text := range texts {
		prefix, err := parsePrefix(text)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%q is not a network such as 10.1.2.0/24", text))
		case prefix != prefix.Masked():
			errs = append(errs, fmt.Errorf("%q has bits beyond its length; the network is %s", text, prefix.Masked()))
		default:
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes, errors.Join(errs...)
}

// parsePrefix parses a network, or a single address as the network of that address.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

// yamlValue returns the value in the form that YAML and JSON print.
func (s setting) yamlValue() any {
	switch v := s.value.Interface().(type) {
	case time.Duration:
		return FormatDuration(v)
	case []netip.Prefix:
		texts := []string{}
		for _, p := range v {
			texts = append(texts, p.String())
		}
		return texts
	case StoreURL:
		if v == "" {
			return ""
		}
		return v.redacted()
	case []string:
		return append([]string{}, v...) // an empty list, not nil, prints as []
	case policy.GroupRequirements:
		if v == nil {
			return policy.GroupRequirements{}
		}
		return v
	case json.RawMessage:
		object := map[string]any{}
		if len(v) > 0 {
			_ = json.Unmarshal(v, &object) // cannot fail: set has parsed it
		}
		return object
	}
	return s.value.Interface()
}
