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

// recordFields collects the fields of a record: those of a JSON file, and over them those of the flags. The server
// validates them.
type recordFields struct {
	file   string
	unset  []string
	values map[string]any
}

// addFileFlag adds --file.
func (m *recordFields) addFileFlag(cmd *cobra.Command, what string) {
	cmd.Flags().StringVar(&m.file, "file", "", "read "+what+" as a JSON object from `FILE`, or stdin for -")
}

// addUnsetFlag adds --unset, for existing records.
func (m *recordFields) addUnsetFlag(cmd *cobra.Command) {
	cmd.Flags().
		StringArrayVar(&m.unset, "unset", nil, "remove this `FIELD`, which returns to its default; may be repeated")
}

// addFlag adds a flag for one field of the type of sample.
func (m *recordFields) addFlag(cmd *cobra.Command, field string, sample reflect.Type, help string) {
	name := strings.ReplaceAll(field, "_", "-")
	kind := sample.Kind()
	if kind == reflect.Pointer {
		kind = sample.Elem().Kind()
	}
	v := &fieldFlag{fields: m, name: field, kind: kind}
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

// addMetadataFlags adds a flag for each field of client metadata, under its own name.
func (m *recordFields) addMetadataFlags(cmd *cobra.Command) {
	t := reflect.TypeFor[storage.Metadata]()
	for i := range t.NumField() {
		field, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		m.addFlag(cmd, field, t.Field(i).Type, "")
	}
}

// collect returns all fields. Unset ones are null (RFC 7396).
func (m *recordFields) collect(p *program) (map[string]any, error) {
	merged := map[string]any{}
	if m.file != "" {
		text, err := p.readInput(m.file)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &merged); err != nil || merged == nil {
			return nil, &exitError{code: exitUsage, err: fmt.Errorf("%s is not a JSON object: %w", m.file, err)}
		}
	}
	maps.Copy(merged, m.values)
	for _, field := range m.unset {
		merged[field] = nil
	}
	return merged, nil
}

// fieldFlag is a flag that sets a field.
type fieldFlag struct {
	fields *recordFields
	name   string
	kind   reflect.Kind
}

// Set implements pflag.Value.
func (v *fieldFlag) Set(text string) error {
	var value any = text
	var err error
	switch v.kind {
	case reflect.Bool:
		value, err = strconv.ParseBool(text)
	case reflect.Int:
		value, err = strconv.Atoi(text)
	case reflect.Slice:
		previous, _ := v.fields.values[v.name].([]string)
		value = append(previous, text)
	case reflect.Struct:
		value = json.RawMessage(text)
		if !json.Valid([]byte(text)) {
			err = fmt.Errorf("not JSON")
		}
	}
	if err != nil {
		return err
	}
	if v.fields.values == nil {
		v.fields.values = map[string]any{}
	}
	v.fields.values[v.name] = value
	return nil
}

// String implements pflag.Value.
func (v *fieldFlag) String() string { return "" }

// Type implements pflag.Value.
func (v *fieldFlag) Type() string {
	switch v.kind {
	case reflect.Bool:
		return "bool"
	case reflect.Int:
		return "number"
	case reflect.Struct:
		return "json"
	}
	if strings.Contains(v.name, "uri") {
		return "url"
	}
	return "text"
}

// printRecord prints a record of the API, a line for each field in its order.
func (p *program) printRecord(v any) error {
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
	return p.printFields(pairs)
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
