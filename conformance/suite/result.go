package suite

import (
	"fmt"
	"time"
)

// Result is the result of one module.
type Result struct {
	Run      Run
	Module   Module
	ID       string // of the module's instance; empty if the suite could not create it
	Result   string // PASSED, WARNING, REVIEW, SKIPPED or FAILED
	Warnings []Finding
	Failures []Finding
	Uploaded int // pictures that the runner uploaded, because the suite's own browser matched no text
	Took     time.Duration
}

// Finding is one condition that warned or failed.
type Finding struct {
	Condition string
	Message   string
}

// Name returns the plan, the module and its variant. A plan may have a module with several response types.
func (r Result) Name() string {
	name := r.Run.Plan + " " + r.Module.Name
	if t := r.Module.Variant["response_type"]; t != "" && r.Run.Variant["response_type"] == "" {
		name += " (" + t + ")"
	}
	if title := r.Run.Title(); title != "" {
		name += " [" + title + "]"
	}
	return name
}

// unexpectedFindings returns the findings of the result that are not tolerated. A review is accepted if text matches
// filled all its placeholders, or if the run used Chromium, which does not match texts.
func (r Result) unexpectedFindings(tolerated func(result, condition string) bool) []string {
	var list []string
	for _, f := range r.Failures {
		list = append(list, fmt.Sprintf("failure in %s: %s", f.Condition, f.Message))
	}
	for _, f := range r.Warnings {
		if !tolerated(Warning, f.Condition) {
			list = append(list, fmt.Sprintf("warning in %s: %s", f.Condition, f.Message))
		}
	}
	switch r.Result {
	case Passed:
	case Review:
		if r.Uploaded > 0 && r.Run.Browser == "" && !tolerated(Review, "") {
			list = append(list, "review by an uploaded picture, not by a text match")
		}
	case Warning:
		if len(r.Warnings) == 0 {
			list = append(list, "warning without a condition that warns")
		}
	case Skipped:
		if !tolerated(Skipped, "") {
			list = append(list, "skipped")
		}
	default:
		if len(r.Failures) == 0 {
			list = append(list, "result "+r.Result)
		}
	}
	return list
}
