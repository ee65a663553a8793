package admin

import (
	"net/http"

	"github.com/curfew-id/curfew/storage"
)

// ScopeList lists the scopes of APIs that the configuration declares, by name.
type ScopeList struct {
	Scopes []storage.APIScope `json:"scopes"`
}

func (a *api) listScopes(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	list := ScopeList{Scopes: []storage.APIScope{}}
	for _, name := range a.APIScopes.Names() {
		list.Scopes = append(list.Scopes, *a.APIScopes[name])
	}
	return writeJSON(w, http.StatusOK, list)
}
