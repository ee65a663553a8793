package admin

import (
	_ "embed" // openapi.yaml
	"encoding/json"
	"fmt"
	"net/http"

	"go.yaml.in/yaml/v3"
)

// openAPIYAML describes the API. It is written by hand; a test compares it with the routes and the types.
//
//go:embed openapi.yaml
var openAPIYAML []byte

// openAPIJSON returns the document as JSON.
func openAPIJSON() ([]byte, error) {
	var tree map[string]any
	if err := yaml.Unmarshal(openAPIYAML, &tree); err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	return json.Marshal(tree)
}

// showOpenAPI parses the document for each request: requests are rare, and parsing at the start would delay it.
func (a *api) showOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	doc, err := openAPIJSON()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(doc)
	return nil
}
