package config

import (
	"fmt"
	"sort"
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Where string // "curfew.yaml:3", "CURFEW_LISTEN", or the file alone
	Key   string // empty if no key is concerned
	Text  string // what is wrong and what to write instead

	line int
}

func (p Problem) String() string {
	if p.Key == "" {
		return p.Where + ": " + p.Text
	}
	return p.Where + ": " + p.Key + ": " + p.Text
}

// Problems is the error of Load: all problems of a configuration.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// sortByLine puts the file's problems in the order of its lines, the others after them.
func (p Problems) sortByLine() Problems {
	sort.SliceStable(p, func(i, j int) bool {
		a, b := p[i].line, p[j].line
		return a != 0 && (b == 0 || a < b)
	})
	return p
}

// origin is where a value was given.
type origin struct {
	name   string // of the file or of the environment variable
	line   int    // 0 in the environment
	hidden bool   // it came from a NAME_FILE, so it is not shown
}

func (o origin) String() string {
	if o.line == 0 {
		return o.name
	}
	return fmt.Sprintf("%s:%d", o.name, o.line)
}

// nearest is the candidate that is most similar to text, or empty.
func nearest(text string, candidates []string) string {
	best, distance := "", max(2, len(text)/3)+1
	for _, c := range candidates {
		if d := editDistance(text, c); d < distance {
			best, distance = c, d
		}
	}
	return best
}

// editDistance is the number of letters to add, remove or change to turn a into b (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
