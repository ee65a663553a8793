package admin

import (
	_ "embed" // openapi.yaml
	"encoding/json"
	"fmt"
	"net/http"

	"go.yaml.in/yaml/v3"
)

// openAPIYAML describes the API. It is written by hand, in YAML for the sake of its readers; a test holds it to the
// routes and to the types.
//
//go:embed openapi.yaml
var openAPIYAML []byte

// openAPIJSON is the document as JSON.
func openAPIJSON() ([]byte, error) {
	var tree map[string]any
	if err := yaml.Unmarshal(openAPIYAML, &tree); err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	return json.Marshal(tree)
}

// showOpenAPI reads the document at the first request for it: such requests are rare, and a start must be quick.
func (a *api) showOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	doc, err := openAPIJSON()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(doc)
	return nil
}
