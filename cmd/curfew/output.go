package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/curfew-id/curfew/cmd/curfew/terminal"
)

// printJSON writes a value as programs read it.
func (p *program) printJSON(v any) error {
	e := json.NewEncoder(p.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// printTable writes rows under their header.
func (p *program) printTable(header []string, rows [][]string) error {
	return terminal.PrintTable(p.stdout, header, rows)
}

// printFields writes one record, a line for each field that has a value.
func (p *program) printFields(pairs [][2]string) error {
	return terminal.PrintFields(p.stdout, pairs)
}

// formatTime is a time as a table shows it; empty for none.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}

// pluralize writes "1 session", "2 sessions".
func pluralize(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
