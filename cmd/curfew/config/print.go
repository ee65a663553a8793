package config

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// displayValue returns the value of a setting for printing. A value from a NAME_FILE is a secret and stays hidden.
func (c *Config) displayValue(s setting) any {
	if c.origins[s.path].hidden {
		return "(hidden)"
	}
	return s.yamlValue()
}

// WriteYAML writes the effective value of every setting, in the form of a configuration file. Each setting has a
// comment with the place of its value.
func (c *Config) WriteYAML(w io.Writer) error {
	root := &yaml.Node{Kind: yaml.MappingNode}
	groups := map[string]*yaml.Node{"": root}
	for _, s := range settingsOf(c) {
		group := ""
		name := s.path
		if i := strings.LastIndex(s.path, "."); i >= 0 {
			group = s.path[:i]
			name = s.path[i+1:]
		}
		if groups[group] == nil {
			groups[group] = &yaml.Node{Kind: yaml.MappingNode}
			root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: group}, groups[group])
		}
		value := &yaml.Node{}
		if err := value.Encode(c.displayValue(s)); err != nil {
			return fmt.Errorf("print %s: %w", s.path, err)
		}
		key := &yaml.Node{Kind: yaml.ScalarNode, Value: name}
		if value.Kind == yaml.ScalarNode || len(value.Content) == 0 {
			value.LineComment = c.Origin(s.path)
		} else {
			key.HeadComment = c.Origin(s.path)
		}
		groups[group].Content = append(groups[group].Content, key, value)
	}
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(root); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return e.Close()
}

// WriteJSON writes the effective value of every setting, under its dotted key.
func (c *Config) WriteJSON(w io.Writer) error {
	values := map[string]any{}
	for _, s := range settingsOf(c) {
		values[s.path] = c.displayValue(s)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(values)
}
