package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// Error is an error that the API answers. Its text is for the operator.
type Error struct {
	Status int `json:"-"`
	// Code is one of invalid, not_found, wrong_method, ambiguous, exists, changed, already_used, revoked, disabled,
	// too_large, unavailable and internal.
	Code     string             `json:"code"`
	Message  string             `json:"message"`            // what is wrong and what to do
	Field    string             `json:"field,omitempty"`    // the member, parameter or part of the path that is wrong
	Problems []register.Problem `json:"problems,omitempty"` // all problems, if the request has several
}

func (e *Error) Error() string {
	if e.Field != "" {
		return e.Field + ": " + e.Message
	}
	return e.Message
}

// errorResponse is the body of every answer that is not a success.
type errorResponse struct {
	Error *Error `json:"error"`
}

func invalid(field, format string, args ...any) error {
	return &Error{Status: http.StatusBadRequest, Code: "invalid", Message: fmt.Sprintf(format, args...), Field: field}
}

// explainNotFound turns storage.ErrNotFound into an *Error that names the missing record and the field with its name.
// It returns other errors as they are. kind is the kind of the record and the name of the field.
func explainNotFound(err error, kind, name string) error {
	return explainNotFoundIn(err, kind, kind, name)
}

// explainNotFoundIn is like explainNotFound, for a field whose name is not the kind of the record.
func explainNotFoundIn(err error, field, kind, name string) error {
	if errors.Is(err, storage.ErrNotFound) {
		return &Error{
			Status:  http.StatusNotFound,
			Code:    "not_found",
			Message: fmt.Sprintf("there is no %s %q", kind, name),
			Field:   field,
		}
	}
	return err
}

// toError converts an error to the error that the API answers. The answer to an unknown error has no details. They are
// in the log.
func toError(err error) *Error {
	if apiErr, ok := errors.AsType[*Error](err); ok {
		return apiErr
	}
	var problems register.Problems
	if errors.As(err, &problems) {
		problems = slices.Clone(problems)
		for i, p := range problems {
			if p.Cause != nil {
				problems[i].Text += ": " + p.Cause.Error() // the caller is the operator, who may see details
			}
		}
		return &Error{
			Status:   http.StatusBadRequest,
			Code:     "invalid",
			Message:  problems[0].Text,
			Field:    problems[0].Field,
			Problems: problems,
		}
	}
	status, code, text := web.AdminErrorFrom(err)
	return &Error{Status: status, Code: code, Message: text}
}

// handleErrors wraps every handler: it answers and logs the error that the handler returns.
func (a *api) handleErrors(handle handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w = deadlineWriter{w}
		w.Header().Set("Cache-Control", "no-store")
		err := handle(w, r)
		if err == nil {
			return
		}
		apiErr := toError(err)
		refusal := web.Refusal{
			Status:  apiErr.Status,
			Code:    apiErr.Code,
			Reason:  apiErr.Message,
			Subject: web.Subject{Param: apiErr.Field},
		}
		if apiErr.Status >= http.StatusInternalServerError {
			refusal.Err = fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
		}
		web.LogRefusal(r.Context(), a.log(), refusal)
		if apiErr.Status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", web.RetryAfter(web.BusyRetryAfter))
		}
		writeJSON(w, apiErr.Status, errorResponse{apiErr})
	})
}

// writeJSON answers with value as JSON. It ignores errors of the connection, because then no caller waits for the
// answer.
func writeJSON(w http.ResponseWriter, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
	return nil
}
