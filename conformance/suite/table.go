package suite

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Row counts the results of one run.
type Row struct {
	Run     Run
	Modules int
	Passed  int
	Warning int
	Review  int
	Skipped int
	Failed  int
	Took    time.Duration // the sum of the modules
}

// Rows counts results by run, in the order in which the runs first occur.
func Rows(results []Result) []Row {
	var rows []Row
	rowOfRun := map[string]int{}
	for _, r := range results {
		name := r.Run.Plan + r.Run.Title()
		index, known := rowOfRun[name]
		if !known {
			index = len(rows)
			rowOfRun[name] = index
			rows = append(rows, Row{Run: r.Run})
		}
		rows[index].add(r)
	}
	return rows
}

func (row *Row) add(r Result) {
	row.Modules++
	row.Took += r.Took
	switch r.Result {
	case Passed:
		row.Passed++
	case Warning:
		row.Warning++
	case Review:
		row.Review++
	case Skipped:
		row.Skipped++
	default:
		row.Failed++
	}
}

var columns = []string{"plan", "variant", "modules", "passed", "warning", "review", "skipped", "failed", "seconds"}

func (row Row) cells() []string {
	cells := []string{row.Run.Plan, row.Run.Title()}
	for _, n := range []int{row.Modules, row.Passed, row.Warning, row.Review, row.Skipped, row.Failed} {
		cells = append(cells, fmt.Sprint(n))
	}
	return append(cells, fmt.Sprintf("%.0f", row.Took.Seconds()))
}

// total returns the sum of rows.
func total(rows []Row) Row {
	all := Row{Run: Run{Plan: "all"}}
	for _, row := range rows {
		all.Modules += row.Modules
		all.Passed += row.Passed
		all.Warning += row.Warning
		all.Review += row.Review
		all.Skipped += row.Skipped
		all.Failed += row.Failed
		all.Took += row.Took
	}
	return all
}

// WriteTable prints the rows for a terminal, and their sum.
func WriteTable(w io.Writer, rows []Row) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(columns, "\t"))
	for _, row := range append(slices.Clip(rows), total(rows)) {
		fmt.Fprintln(tw, strings.Join(row.cells(), "\t"))
	}
	return tw.Flush()
}

// Report has the contents of a RESULTS.md.
type Report struct {
	Suite        []string // the versions of the suite
	Commands     []string
	Day          time.Time
	Rows         []Row
	Expectations Expectations
	Evaluation   Evaluation
}

// WriteMarkdown writes the report.
func (r Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Conformance results\n\n")
	fmt.Fprintf(
		&b,
		"OpenID Foundation conformance suite %s, %s:\n\n",
		strings.Join(r.Suite, " and "),
		r.Day.Format(time.DateOnly),
	)
	for _, command := range r.Commands {
		fmt.Fprintf(&b, "    %s\n", command)
	}
	b.WriteString("\nSeconds are those of the modules, added up. " +
		"A review was filled by the suite's own text match on our page.\n\n")
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, row := range append(slices.Clip(r.Rows), total(r.Rows)) {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row.cells(), " | "))
	}
	if len(r.Evaluation.Unexpected) > 0 {
		fmt.Fprintf(&b, "\n## Not accepted\n\n")
		for _, line := range r.Evaluation.Unexpected {
			fmt.Fprintf(&b, "- %s\n", line)
		}
	}
	if len(r.Expectations) > 0 {
		fmt.Fprintf(&b, "\n## Tolerated\n\n| module | result | reason | section |\n|---|---|---|---|\n")
		for _, e := range r.Expectations {
			fmt.Fprintf(
				&b,
				"| %s | %s | %s | %s |\n",
				e.Module,
				strings.TrimSpace(e.Result+" "+e.Condition),
				e.Reason,
				e.Section,
			)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
