// Package terminal formats the output of the commands: aligned tables without control characters.
package terminal

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode"

	"golang.org/x/term"
)

// IsTerminal reports whether a stream is a terminal.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// PrintTable writes rows under a header, in aligned columns. It sanitizes every cell, because strangers choose some of
// the values, such as the name of a client that registered itself.
func PrintTable(w io.Writer, header []string, rows [][]string) error {
	table := newTabWriter(w)
	fmt.Fprintln(table, strings.ToUpper(strings.Join(header, "\t")))
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = cmp.Or(Sanitize(cell), "-")
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	return table.Flush()
}

// PrintFields writes a line with name and value for each pair. It omits pairs without a value.
func PrintFields(w io.Writer, pairs [][2]string) error {
	table := newTabWriter(w)
	for _, pair := range pairs {
		if pair[1] != "" {
			fmt.Fprintf(table, "%s\t%s\n", pair[0], Sanitize(pair[1]))
		}
	}
	return table.Flush()
}

func newTabWriter(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 4, 2, ' ', 0) }

// Sanitize replaces control characters, which could change the state of a terminal, and invisible characters.
func Sanitize(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return '�'
		}
		return r
	}, text)
}
