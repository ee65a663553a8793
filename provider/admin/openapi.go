package admin

import (
	_ "embed" // openapi.yaml
	"encoding/json"
	"fmt"
	"net/http"

	"go.yaml.in/yaml/v3"
)

// document describes the API. It is written by hand, in YAML for the sake of its readers; a test holds it to the routes
// and to the types.
//
//go:embed openapi.yaml
var document []byte

// openAPI is the document as JSON.
func openAPI() ([]byte, error) {
	var tree map[string]any
	if err := yaml.Unmarshal(document, &tree); err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	return json.Marshal(tree)
}

// showDocument reads the document when somebody asks for it, which is seldom: a start has no time for it.
func (a *api) showDocument(w http.ResponseWriter, _ *http.Request) error {
	document, err := openAPI()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(document)
	return nil
}
