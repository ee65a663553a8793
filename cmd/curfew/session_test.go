package main

import (
	"strings"
	"testing"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/admin"
)

func TestSessionThatNobodyIsToldOfNamesNobodyAsBeingTold(t *testing.T) {
	var shown strings.Builder
	p := &program{stdout: &shown}
	unknown := logout.Scope{Holders: 1, Unknown: 1, Told: 1, Names: []string{"Atlas"}}
	if err := p.showSession(admin.Session{Horizon: &logout.Estimate{Apps: unknown}}); err != nil {
		t.Fatal(err)
	}
	if text := shown.String(); !strings.Contains(text, "1 unknown (Atlas)\n") || strings.Contains(text, "being told") {
		t.Errorf("got:\n%s", text)
	}
}
