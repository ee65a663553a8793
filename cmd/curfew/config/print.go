package config

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// displayValue is the value as it may be printed: what came from a NAME_FILE is a secret.
func (c *Config) displayValue(k key) any {
	if c.origins[k.path].hidden {
		return "(hidden)"
	}
	return k.yamlValue()
}

// WriteYAML writes every setting as it is in effect, in the form of a configuration file, each with a comment that says where
// its value was given.
func (c *Config) WriteYAML(w io.Writer) error {
	root := &yaml.Node{Kind: yaml.MappingNode}
	groups := map[string]*yaml.Node{"": root}
	for _, k := range keysOf(c) {
		group, name := "", k.path
		if i := strings.LastIndex(k.path, "."); i >= 0 {
			group, name = k.path[:i], k.path[i+1:]
		}
		if groups[group] == nil {
			groups[group] = &yaml.Node{Kind: yaml.MappingNode}
			root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: group}, groups[group])
		}
		value := &yaml.Node{}
		if err := value.Encode(c.displayValue(k)); err != nil {
			return fmt.Errorf("print %s: %w", k.path, err)
		}
		title := &yaml.Node{Kind: yaml.ScalarNode, Value: name}
		if value.Kind == yaml.ScalarNode || len(value.Content) == 0 {
			value.LineComment = c.Origin(k.path)
		} else {
			title.HeadComment = c.Origin(k.path)
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
	for _, k := range keysOf(c) {
		values[k.path] = c.displayValue(k)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(values)
}
