package config

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// displayValue is the value as it may be printed: a value from a NAME_FILE is a secret.
func (c *Config) displayValue(s setting) any {
	if c.origins[s.path].hidden {
		return "(hidden)"
	}
	return s.yamlValue()
}

// WriteYAML writes every setting as it is in effect, in the form of a configuration file, each with a comment that
// says where its value was given.
func (c *Config) WriteYAML(w io.Writer) error {
	root := &yaml.Node{Kind: yaml.MappingNode}
	groups := map[string]*yaml.Node{"": root}
	for _, s := range settingsOf(c) {
		group, name := "", s.path
		if i := strings.LastIndex(s.path, "."); i >= 0 {
			group, name = s.path[:i], s.path[i+1:]
		}
		if groups[group] == nil {
			groups[group] = &yaml.Node{Kind: yaml.MappingNode}
			root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: group}, groups[group])
		}
		value := &yaml.Node{}
		if err := value.Encode(c.displayValue(s)); err != nil {
			return fmt.Errorf("print %s: %w", s.path, err)
		}
		title := &yaml.Node{Kind: yaml.ScalarNode, Value: name}
		if value.Kind == yaml.ScalarNode || len(value.Content) == 0 {
			value.LineComment = c.Origin(s.path)
		} else {
			title.HeadComment = c.Origin(s.path)
		}
		groups[group].Content = append(groups[group].Content, title, value)
	}
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(root); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return e.Close()
}

// WriteJSON writes every setting as it is in effect, under its dotted key.
func (c *Config) WriteJSON(w io.Writer) error {
	values := map[string]any{}
	for _, s := range settingsOf(c) {
		values[s.path] = c.displayValue(s)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(values)
}
