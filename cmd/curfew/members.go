package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/storage"
)

// members collects the members of a record: those of a JSON file, and over them those that flags give. What they have to be
// is the server's to say.
type members struct {
	file   string
	unset  []string
	values map[string]any
}

// fileFlag adds --file.
func (m *members) fileFlag(cmd *cobra.Command, what string) {
	cmd.Flags().StringVar(&m.file, "file", "", "read "+what+" as a JSON object from `FILE`, or stdin for -")
}

// unsetFlag adds --unset, for records that are there already.
func (m *members) unsetFlag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&m.unset, "unset", nil, "take this `MEMBER` away, and so back to its default; may be repeated")
}

// flag adds a flag for one member of the type of sample.
func (m *members) flag(cmd *cobra.Command, member string, sample reflect.Type, help string) {
	name := strings.ReplaceAll(member, "_", "-")
	kind := sample.Kind()
	if kind == reflect.Pointer {
		kind = sample.Elem().Kind()
	}
	v := &memberValue{into: m, member: member, kind: kind}
	switch {
	case sample == reflect.TypeFor[json.RawMessage]():
		v.kind = reflect.Struct
	case kind == reflect.Slice:
		// One value at a time, so one name: --redirect-uri for redirect_uris.
		name = strings.TrimSuffix(name, "s")
		help += "; may be repeated"
	}
	cmd.Flags().Var(v, name, strings.TrimPrefix(help, "; "))
	if kind == reflect.Bool {
		cmd.Flags().Lookup(name).NoOptDefVal = "true"
	}
}

// metadataFlags adds a flag for each member of client metadata, under its own name.
func (m *members) metadataFlags(cmd *cobra.Command) {
	t := reflect.TypeFor[storage.Metadata]()
	for i := range t.NumField() {
		member, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		m.flag(cmd, member, t.Field(i).Type, "")
	}
}

// read gives all members together. Unset ones are null, as RFC 7396 has it.
func (m *members) read(p *program) (map[string]any, error) {
	all := map[string]any{}
	if m.file != "" {
		text, err := p.input(m.file)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &all); err != nil || all == nil {
			return nil, &failure{code: exitUsage, err: fmt.Errorf("%s is not a JSON object: %w", m.file, err)}
		}
	}
	maps.Copy(all, m.values)
	for _, member := range m.unset {
		all[member] = nil
	}
	return all, nil
}

// memberValue is a flag that sets a member.
type memberValue struct {
	into   *members
	member string
	kind   reflect.Kind
}

// Set implements pflag.Value.
func (v *memberValue) Set(text string) error {
	var value any = text
	var err error
	switch v.kind {
	case reflect.Bool:
		value, err = strconv.ParseBool(text)
	case reflect.Int:
		value, err = strconv.Atoi(text)
	case reflect.Slice:
		before, _ := v.into.values[v.member].([]string)
		value = append(before, text)
	case reflect.Struct:
		value = json.RawMessage(text)
		if !json.Valid([]byte(text)) {
			err = fmt.Errorf("not JSON")
		}
	}
	if err != nil {
		return err
	}
	if v.into.values == nil {
		v.into.values = map[string]any{}
	}
	v.into.values[v.member] = value
	return nil
}

// String implements pflag.Value.
func (v *memberValue) String() string { return "" }

// Type implements pflag.Value.
func (v *memberValue) Type() string {
	switch v.kind {
	case reflect.Bool:
		return "bool"
	case reflect.Int:
		return "number"
	case reflect.Struct:
		return "json"
	}
	if strings.Contains(v.member, "uri") {
		return "url"
	}
	return "text"
}

// record shows a record of the API, a line for each member in its order.
func (p *program) record(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("show record: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("show record: %w", err)
	}
	var pairs [][2]string
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return fmt.Errorf("show record: %w", err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return fmt.Errorf("show record: %w", err)
		}
		pairs = append(pairs, [2]string{fmt.Sprint(name), plainJSON(value)})
	}
	return p.facts(pairs)
}

// plainJSON writes strings bare and lists of them with commas.
func plainJSON(value json.RawMessage) string {
	var text string
	var texts []string
	switch {
	case json.Unmarshal(value, &text) == nil:
		return text
	case json.Unmarshal(value, &texts) == nil:
		return strings.Join(texts, ", ")
	}
	return string(value)
}
