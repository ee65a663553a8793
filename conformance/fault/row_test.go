package fault

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// buildFolder is where the builds of the server stand while the tests run.
var buildFolder string

// TestMain runs the tests and prints what they counted as one table, for docs/reliability.md.
func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "curfew-faults")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	buildFolder = folder
	code := m.Run()
	if len(rows.list) > 0 {
		fmt.Print("| fault | result |\n|---|---|\n")
	}
	for _, row := range rows.list {
		fmt.Println(row)
	}
	if err := os.RemoveAll(folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// rows are the lines of the table in docs/reliability.md.
var rows struct {
	mu   sync.Mutex
	list []string
}

// row adds a line of the table: the fault and what was counted.
func row(t testing.TB, fault, format string, args ...any) {
	t.Helper()
	line := fmt.Sprintf("| %s | %s |", fault, fmt.Sprintf(format, args...))
	t.Log(line)
	rows.mu.Lock()
	defer rows.mu.Unlock()
	rows.list = append(rows.list, line)
}
