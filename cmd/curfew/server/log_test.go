package server

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/cmd/curfew/config"
)

func TestLibraryLogsWarningsWithoutRoutesAndDuplicates(t *testing.T) {
	defer slog.SetDefault(slog.Default())
	var lines strings.Builder
	if err := SetDefaultLogger(&lines, config.Log{Level: "info", Format: "json"}); err != nil {
		t.Fatal(err)
	}
	slog.Info("registered route", "endpoint", "/token")
	slog.Warn("request error") // package oauth logs the refusal itself
	slog.Warn("key not found")
	if got := lines.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"msg":"key not found"`) {
		t.Errorf("got %q, want the last warning alone", got)
	}
}
