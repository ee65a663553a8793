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

// recordFields collects the fields of a user or client from a JSON file and from flags. A flag replaces the field of
// the file. Only the server validates the fields.
type recordFields struct {
	file       string
	unset      []string       // fields to remove
	flagValues map[string]any // by field name
}

// addFileFlag adds --file. content describes the content of the file, for the help text.
func (m *recordFields) addFileFlag(cmd *cobra.Command, content string) {
	cmd.Flags().StringVar(&m.file, "file", "", "read "+content+" as a JSON object from `FILE`, or stdin for -")
}

// addUnsetFlag adds --unset, for commands that change an existing record.
func (m *recordFields) addUnsetFlag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(
		&m.unset,
		"unset",
		nil,
		"remove this `FIELD`, which returns to its default; may be repeated",
	)
}

// addFlag adds a flag that sets one field: --given-name for given_name.
func (m *recordFields) addFlag(cmd *cobra.Command, field string, fieldType reflect.Type, help string) {
	name := strings.ReplaceAll(field, "_", "-")
	kind := fieldType.Kind()
	if kind == reflect.Pointer {
		kind = fieldType.Elem().Kind()
	}
	flag := &fieldFlag{fields: m, name: field, kind: kind}
	switch {
	case fieldType == reflect.TypeFor[json.RawMessage]():
		flag.kind = reflect.Struct
	case fieldType == reflect.TypeFor[storage.ClaimRules]():
		flag.kind = reflect.Map
	case kind == reflect.Slice:
		// Each flag adds one value, so its name is singular: --redirect-uri for redirect_uris.
		name = strings.TrimSuffix(name, "s")
		help += "; may be repeated"
	}
	cmd.Flags().Var(flag, name, strings.TrimPrefix(help, "; "))
	if kind == reflect.Bool {
		cmd.Flags().Lookup(name).NoOptDefVal = "true"
	}
}

// addMetadataFlags adds a flag for each field of client metadata.
func (m *recordFields) addMetadataFlags(cmd *cobra.Command) {
	t := reflect.TypeFor[storage.Metadata]()
	for i := range t.NumField() {
		field, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		m.addFlag(cmd, field, t.Field(i).Type, "")
	}
}

// collect returns the fields of the file and the flags. Fields to remove are null (RFC 7396).
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
	maps.Copy(merged, m.flagValues)
	for _, field := range m.unset {
		merged[field] = nil
	}
	return merged, nil
}

// fieldFlag is the pflag.Value of a flag that sets one field.
type fieldFlag struct {
	fields *recordFields
	name   string       // of the field
	kind   reflect.Kind // of the field; reflect.Struct means any JSON value
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
		previous, _ := v.fields.flagValues[v.name].([]string)
		value = append(previous, text)
	case reflect.Map: // "scope" or an object
		if json.Valid([]byte(text)) {
			value = json.RawMessage(text)
		}
	case reflect.Struct:
		value = json.RawMessage(text)
		if !json.Valid([]byte(text)) {
			err = fmt.Errorf("not JSON")
		}
	}
	if err != nil {
		return err
	}
	if v.fields.flagValues == nil {
		v.fields.flagValues = map[string]any{}
	}
	v.fields.flagValues[v.name] = value
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
	case reflect.Struct, reflect.Map:
		return "json"
	}
	if strings.Contains(v.name, "uri") {
		return "url"
	}
	return "text"
}

// printRecord prints a record of the API, a line for each field, in the order of its JSON.
func (p *program) printRecord(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("show record: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if _, err := decoder.Token(); err != nil { // the opening brace
		return fmt.Errorf("show record: %w", err)
	}
	var pairs [][2]string
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return fmt.Errorf("show record: %w", err)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return fmt.Errorf("show record: %w", err)
		}
		pairs = append(pairs, [2]string{fmt.Sprint(name), plainJSON(value)})
	}
	return p.printFields(pairs)
}

// plainJSON returns a JSON value for a table: a string without quotes, a list of strings separated by commas, any
// other value as JSON.
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
