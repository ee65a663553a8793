package config

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Problem is one mistake in a configuration.
type Problem struct {
	Where string // "curfew.yaml:3", "CURFEW_LISTEN", or the file alone
	Key   string // empty if the problem is not about one key
	Text  string // what is wrong and what to write instead

	line int // in the file; 0 outside the file
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

// sortByLine sorts the file's problems by line and puts all others after them.
func (p Problems) sortByLine() Problems {
	position := func(problem Problem) int {
		if problem.line == 0 {
			return math.MaxInt
		}
		return problem.line
	}
	slices.SortStableFunc(p, func(a, b Problem) int { return cmp.Compare(position(a), position(b)) })
	return p
}

// origin is the place where a value was given.
type origin struct {
	name   string // of the file or of the environment variable
	line   int    // 0 in the environment
	hidden bool   // the value comes from a file that CURFEW_…_FILE names; it may be a secret and is not printed
}

func (o origin) String() string {
	if o.line == 0 {
		return o.name
	}
	return fmt.Sprintf("%s:%d", o.name, o.line)
}

// nearest returns the candidate that is most similar to text. Up to a third of the letters may differ, and two in a
// short text. nearest returns "" if there is no such candidate.
func nearest(text string, candidates []string) string {
	best := ""
	maxDistance := max(2, len(text)/3)
	bestDistance := maxDistance + 1
	for _, candidate := range candidates {
		if distance := editDistance(text, candidate); distance < bestDistance {
			best = candidate
			bestDistance = distance
		}
	}
	return best
}

// editDistance returns the number of letters to add, remove or change to turn a into b (Levenshtein).
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
