package main

import (
	"strings"
	"testing"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/admin"
)

func TestSessionThatNoClientIsNotifiedOfShowsNoNotification(t *testing.T) {
	var shown strings.Builder
	p := &program{stdout: &shown}
	unknown := logout.HorizonPart{Entries: 1, Unknown: 1, Notifying: 1, UnknownNames: []string{"Atlas"}}
	if err := p.showSession(admin.Session{Horizon: &logout.Estimate{Clients: unknown}}); err != nil {
		t.Fatal(err)
	}
	if text := shown.String(); !strings.Contains(text, "1 unknown (Atlas)\n") ||
		strings.Contains(text, "being notified") {
		t.Errorf("got:\n%s", text)
	}
}
