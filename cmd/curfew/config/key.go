package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// key is one setting: a leaf of Config.
type key struct {
	path    string        // as session.keep_idle
	value   reflect.Value // the field, settable
	allowed []string      // the values it may have; empty: any of its type
}

// envName is the name under which the environment gives it.
func (k key) envName() string {
	return "CURFEW_" + strings.ToUpper(strings.ReplaceAll(k.path, ".", "_"))
}

// keysOf lists the settings of c in the order of the struct.
func keysOf(c *Config) []key {
	var keys []key
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
				keys = append(keys, key{path: prefix + name, value: v.Field(i), allowed: strings.Fields(field.Tag.Get("oneof"))})
			}
		}
	}
	walk("", reflect.ValueOf(c).Elem())
	return keys
}

// isList tells whether the setting has several values.
func (k key) isList() bool {
	return k.value.Kind() == reflect.Slice && k.value.Type() != reflect.TypeFor[json.RawMessage]()
}

// set reads the value from texts (one, unless it is a list); folder is where relative paths start.
func (k key) set(texts []string, folder string) error {
	text := strings.TrimSpace(texts[0])
	if len(k.allowed) > 0 && !slices.Contains(k.allowed, text) {
		return fmt.Errorf("%q is not one of %s", text, strings.Join(k.allowed, ", "))
	}
	switch field := k.value.Addr().Interface().(type) {
	case *string:
		*field = text
	case *Path:
		if text != "" && !filepath.IsAbs(text) {
			text = filepath.Join(folder, text)
		}
		*field = Path(text)
	case *bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*field = text == "true"
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
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
			return errors.New("not a mapping of client metadata to values")
		}
		*field = json.RawMessage(text)
	default:
		panic("config: no way to read a " + k.value.Type().String()) // a new type of field without its case here
	}
	return nil
}

func parsePrefixes(texts []string) ([]netip.Prefix, error) {
	prefixes := []netip.Prefix{}
	var errs []error
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
			p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%q is not a network such as 10.1.2.0/24", text))
		case p != p.Masked():
			errs = append(errs, fmt.Errorf("%q has bits beyond its length; the network is %s", text, p.Masked()))
		default:
			prefixes = append(prefixes, p)
		}
	}
	return prefixes, errors.Join(errs...)
}

// yamlValue is the value as YAML and JSON write it.
func (k key) yamlValue() any {
	switch v := k.value.Interface().(type) {
	case time.Duration:
		return FormatDuration(v)
	case []netip.Prefix:
		texts := []string{}
		for _, p := range v {
			texts = append(texts, p.String())
		}
		return texts
	case []string:
		return append([]string{}, v...)
	case json.RawMessage:
		object := map[string]any{}
		if len(v) > 0 {
			_ = json.Unmarshal(v, &object) // it was read by set
		}
		return object
	}
	return k.value.Interface()
}
