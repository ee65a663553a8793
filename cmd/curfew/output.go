package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/curfew-id/curfew/cmd/curfew/terminal"
)

// printJSON writes a value as indented JSON.
func (p *program) printJSON(v any) error {
	e := json.NewEncoder(p.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// printTable writes rows under a header, in aligned columns.
func (p *program) printTable(header []string, rows [][]string) error {
	return terminal.PrintTable(p.stdout, header, rows)
}

// printFields writes a line with name and value for each pair. It omits pairs without a value.
func (p *program) printFields(pairs [][2]string) error {
	return terminal.PrintFields(p.stdout, pairs)
}

// formatTime formats a time for tables, in local time. The zero time gives "".
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}

// pluralize returns a count with its noun: "1 session", "2 sessions", "2 deliveries".
func pluralize(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
