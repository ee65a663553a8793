package suite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
)

// Expectation tolerates one kind of result that a specification allows.
type Expectation struct {
	Plan      string  `json:"plan"`                // glob
	Variant   Variant `json:"variant,omitempty"`   // values that the run and the module must have; empty: any
	Module    string  `json:"module"`              // glob
	Result    string  `json:"result"`              // WARNING, SKIPPED or REVIEW
	Condition string  `json:"condition,omitempty"` // for WARNING: the condition that warns
	Reason    string  `json:"reason"`
	Section   string  `json:"section"` // of the specification that allows it
}

// Expectations are all tolerated results.
type Expectations []Expectation

// ReadExpectations reads a JSON array of expectations. It refuses incomplete ones, and failures.
func ReadExpectations(r io.Reader) (Expectations, error) {
	var all Expectations
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&all); err != nil {
		return nil, fmt.Errorf("read expectations: %w", err)
	}
	var problems []error
	for i, e := range all {
		if err := e.check(); err != nil {
			problems = append(problems, fmt.Errorf("expectation %d: %w", i+1, err))
		}
	}
	return all, errors.Join(problems...)
}

func (e Expectation) check() error {
	_, planErr := path.Match(e.Plan, "")
	_, moduleErr := path.Match(e.Module, "")
	switch {
	case e.Plan == "" || e.Module == "" || e.Reason == "" || e.Section == "":
		return errors.New("plan, module, reason and section are required")
	case planErr != nil || moduleErr != nil:
		return errors.New("malformed glob")
	case e.Result != Warning && e.Result != Skipped && e.Result != Review:
		return fmt.Errorf("result %q cannot be tolerated", e.Result)
	case (e.Result == Warning) != (e.Condition != ""):
		return errors.New("a warning, and nothing else, names its condition")
	}
	return nil
}

// Evaluation has the results that are not accepted.
type Evaluation struct {
	Unexpected []string      // each names a module and its finding
	Stale      []Expectation // expectations that no result met
}

// OK reports whether the run is accepted.
func (v Evaluation) OK() bool { return len(v.Unexpected)+len(v.Stale) == 0 }

// Evaluate compares results with the expectations. An expectation is stale if modules in its scope ran and none had its
// result. After a complete run it is also stale if no module was in its scope.
func (all Expectations) Evaluate(results []Result, complete bool) Evaluation {
	var v Evaluation
	used := make([]bool, len(all))
	applicable := make([]bool, len(all))
	for _, r := range results {
		tolerated := func(result, condition string) bool {
			found := false
			for i, e := range all {
				if e.inScope(r) && e.Result == result && e.Condition == condition {
					used[i] = true
					found = true
				}
			}
			return found
		}
		for i, e := range all {
			applicable[i] = applicable[i] || e.inScope(r)
		}
		for _, finding := range r.unexpectedFindings(tolerated) {
			v.Unexpected = append(v.Unexpected, r.Name()+": "+finding)
		}
	}
	for i, e := range all {
		if !used[i] && (applicable[i] || complete) {
			v.Stale = append(v.Stale, e)
		}
	}
	return v
}

func (e Expectation) inScope(r Result) bool {
	plan, _ := path.Match(e.Plan, r.Run.Plan)
	module, _ := path.Match(e.Module, r.Module.Name)
	choices := r.Run.Choices()
	for name, value := range r.Module.Variant {
		choices[name] = value
	}
	return plan && module && choices.Includes(e.Variant)
}
