package register

import (
	"fmt"
	"strings"
)

// The error codes of RFC 7591 §3.2.2 that metadata can earn.
const (
	InvalidRedirectURI = "invalid_redirect_uri"
	InvalidMetadata    = "invalid_client_metadata"
)

// Problem is one thing that is wrong with metadata.
type Problem struct {
	Code  string `json:"code"`  // of RFC 7591 §3.2.2
	Field string `json:"field"` // a member of the metadata, in lists with its index
	Text  string `json:"text"`  // what is wrong and what to do
	Cause error  `json:"-"`     // more, for the operator only; may be nil
}

func (p Problem) Error() string { return p.Field + ": " + p.Text }

// Problems is everything that is wrong with metadata; never empty as an error.
type Problems []Problem

func (p Problems) Error() string {
	texts := make([]string, len(p))
	for i, one := range p {
		texts[i] = one.Error()
	}
	return strings.Join(texts, "; ")
}

// Code is the one error code that stands for all: RFC 7591 §3.2.2 has room for one.
func (p Problems) Code() string {
	for _, one := range p {
		if one.Code == InvalidRedirectURI {
			return InvalidRedirectURI
		}
	}
	return InvalidMetadata
}

// validation gathers the problems of one validation.
type validation struct {
	policy   Policy
	problems Problems
}

func (c *validation) addProblem(field, format string, args ...any) {
	c.problems = append(c.problems, Problem{Code: InvalidMetadata, Field: field, Text: fmt.Sprintf(format, args...)})
}

// checkOneOf refuses a value that is not in allowed; an empty value is the default and always accepted.
func (c *validation) checkOneOf(field, value string, allowed ...string) {
	if value == "" {
		return
	}
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	c.addProblem(field, "%+q is not known; use %s", value, joinWithOr(allowed))
}

// joinWithOr lists words in a sentence: "a, b or c".
func joinWithOr(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
