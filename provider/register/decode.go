package register

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// Decode decodes metadata. It ignores unknown members, as RFC 7591 §2 requires. Its error is [Problems].
func Decode(body []byte) (storage.Metadata, error) {
	var m storage.Metadata
	err := decodeOver(&m, body)
	return m, err
}

// decodeOver decodes metadata into m. Members that body does not contain keep their values in m.
func decodeOver(m *storage.Metadata, body []byte) error {
	err := json.Unmarshal(body, m)
	if string(m.JWKS) == "null" {
		m.JWKS = nil // RFC 7591 §2: null means that the member is absent
	}
	return decodeProblem(err)
}

// DecodeStrict decodes metadata and refuses unknown members: a member that an administrator misspelt must not silently
// get its default. For each unknown member it suggests the most similar known name. Its error is [Problems].
func DecodeStrict(body []byte) (storage.Metadata, error) {
	members, err := decodeObject(body)
	if err != nil {
		return storage.Metadata{}, err
	}
	var problems Problems
	known := MetadataNames()
	for name := range members {
		if !slices.Contains(known, name) {
			problems = append(problems, Problem{Code: InvalidMetadata, Field: name, Text: DescribeUnknown(name, known)})
		}
	}
	slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Field, b.Field) })
	m, err := Decode(body)
	var decodeProblems Problems
	if errors.As(err, &decodeProblems) {
		problems = append(problems, decodeProblems...)
	}
	if len(problems) > 0 {
		return storage.Metadata{}, problems
	}
	return m, nil
}

// MetadataNames returns the names of all members of metadata, in the order in which they are written.
func MetadataNames() []string {
	var names []string
	t := reflect.TypeFor[storage.Metadata]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// decodeObject decodes a JSON object.
func decodeObject(body []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return nil, Problems{{Code: InvalidMetadata, Field: "body", Text: "is not a JSON object"}}
	}
	return members, nil
}

// decodeProblem returns an error of encoding/json as [Problems], and nil for nil.
func decodeProblem(err error) error {
	if err == nil {
		return nil
	}
	if typeErr, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && typeErr.Field != "" {
		text := fmt.Sprintf("is a JSON %s; write %s", typeErr.Value, describeType(typeErr.Type))
		return Problems{{Code: InvalidMetadata, Field: typeErr.Field, Text: text}}
	}
	return Problems{{Code: InvalidMetadata, Field: "body", Text: "is not a JSON object"}}
}

// describeType describes the JSON values that t can hold.
func describeType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "an array of strings"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	}
	return "a string"
}

// DescribeUnknown returns a text about an unknown name, with the most similar known name if there is one.
func DescribeUnknown(name string, known []string) string {
	const maxDistance = 3
	nearest := ""
	nearestDistance := maxDistance + 1
	for _, candidate := range known {
		distance := editDistance(strings.ToLower(name), candidate)
		if distance < nearestDistance {
			nearest = candidate
			nearestDistance = distance
		}
	}
	if nearest == "" {
		return "is not known"
	}
	return "is not known; did you mean " + nearest + "?"
}

// editDistance returns the Levenshtein distance of a and b in bytes. It keeps one row of the usual matrix.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal = row[j+1]
			row[j+1] = cost
		}
	}
	return row[len(b)]
}
