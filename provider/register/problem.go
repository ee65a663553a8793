package register

import (
	"fmt"
	"slices"
	"strings"
)

// Error codes for invalid metadata (RFC 7591 §3.2.2).
const (
	InvalidRedirectURI = "invalid_redirect_uri"
	InvalidMetadata    = "invalid_client_metadata"
)

// Problem describes one invalid member of metadata.
type Problem struct {
	Code  string `json:"code"`  // an error code of RFC 7591 §3.2.2
	Field string `json:"field"` // the name of the member; for an entry of a list, with its index
	Text  string `json:"text"`  // what is wrong and what to do
	Cause error  `json:"-"`     // the cause, for the log only; may be nil
}

// Error returns field and text.
func (p Problem) Error() string { return p.Field + ": " + p.Text }

// Problems lists all problems of metadata. As an error it is never empty.
type Problems []Problem

// Error returns all problems in one line.
func (p Problems) Error() string {
	texts := make([]string, len(p))
	for i, problem := range p {
		texts[i] = problem.Error()
	}
	return strings.Join(texts, "; ")
}

// Code returns the error code for the response, which has only one (RFC 7591 §3.2.2).
func (p Problems) Code() string {
	for _, problem := range p {
		if problem.Code == InvalidRedirectURI {
			return InvalidRedirectURI
		}
	}
	return InvalidMetadata
}

// validation collects the problems of one client's metadata.
type validation struct {
	policy   Policy
	problems Problems
}

// addProblem adds a problem with error code invalid_client_metadata.
func (c *validation) addProblem(field, format string, args ...any) {
	c.problems = append(c.problems, Problem{Code: InvalidMetadata, Field: field, Text: fmt.Sprintf(format, args...)})
}

// checkOneOf adds a problem unless value is empty or one of allowed.
func (c *validation) checkOneOf(field, value string, allowed ...string) {
	if value == "" || slices.Contains(allowed, value) {
		return
	}
	c.addProblem(field, "%+q is not known; use %s", value, joinWithOr(allowed))
}

// joinWithOr returns the words as a phrase: "a, b or c".
func joinWithOr(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
