package logout

import (
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// TestNewSubjectIdentifiersEndTheClientsSessionsAndGrants: tokens of one sector must not go on under the subjects of another, which
// would link the two.
func TestNewSubjectIdentifiersEndTheClientsSessionsAndGrants(t *testing.T) {
	pairwise := storage.Metadata{
		ClientID:      "app",
		SubjectType:   "pairwise",
		RedirectURIs:  []string{"https://a.example/cb"},
		GrantTypes:    []string{"authorization_code", "refresh_token"},
		ResponseTypes: []string{"code"},
	}
	for name, c := range map[string]struct {
		change func(*storage.Metadata)
		want   bool
	}{
		"another sector": {
			change: func(m *storage.Metadata) { m.RedirectURIs = []string{"https://b.example/cb"} },
			want:   true,
		},
		"a sector URI": {
			change: func(m *storage.Metadata) { m.SectorIdentifierURI = "https://s.example/list" },
			want:   true,
		},
		"public subjects": {
			change: func(m *storage.Metadata) { m.SubjectType = "public" },
			want:   true,
		},
		"another URI, same host": {
			change: func(m *storage.Metadata) { m.RedirectURIs = []string{"https://a.example/other"} },
		},
		"another name": {
			change: func(m *storage.Metadata) { m.ClientName = "App" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after storage.Client
			before.SetMetadata(pairwise, time.Unix(0, 0))
			changed := pairwise
			c.change(&changed)
			after.SetMetadata(changed, time.Unix(1, 0))
			sel, found := SelectorForMetadataChange(&before, &after)
			if found != c.want || found && (sel.Client != "app" || !sel.IncludeOffline || sel.OfflineOnly) {
				t.Errorf("got %+v, %v, want everything of the client ended: %v", sel, found, c.want)
			}
		})
	}
}
