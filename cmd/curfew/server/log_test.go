package server

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/cmd/curfew/config"
)

func TestLibraryWritesWarningsToTheLogAndNoListOfItsRoutes(t *testing.T) {
	defer slog.SetDefault(slog.Default())
	var lines strings.Builder
	if err := SetDefaultLogger(&lines, config.Log{Level: "info", Format: "json"}); err != nil {
		t.Fatal(err)
	}
	slog.Info("registered route", "endpoint", "/token")
	slog.Warn("request error")
	if got := lines.String(); strings.Contains(got, "registered route") || !strings.Contains(got, `"msg":"request error"`) {
		t.Errorf("got %q, want the warning alone", got)
	}
}
