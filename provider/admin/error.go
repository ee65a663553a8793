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

// Error is a failure as the API answers it. Its text is for the operator.
type Error struct {
	Status   int                `json:"-"`
	Code     string             `json:"code"`               // invalid, not_found, wrong_method, ambiguous, exists, changed, already_used, revoked, disabled, too_large, unavailable, internal
	Message  string             `json:"message"`            // what is wrong and what to do
	Field    string             `json:"field,omitempty"`    // what of the request is at fault
	Problems []register.Problem `json:"problems,omitempty"` // if several things are wrong, all of them
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

// explainNotFound says of a storage.ErrNotFound what it was that is not there, and so which part of the request is at
// fault.
func explainNotFound(err error, what, name string) error {
	return explainNotFoundIn(err, what, what, name)
}

// explainNotFoundIn is named where the part of the request is called otherwise than the thing.
func explainNotFoundIn(err error, field, what, name string) error {
	if errors.Is(err, storage.ErrNotFound) {
		return &Error{
			Status:  http.StatusNotFound,
			Code:    "not_found",
			Message: fmt.Sprintf("there is no %s %q", what, name),
			Field:   field,
		}
	}
	return err
}

// toError turns any error into an answer. An unknown error gives no details; they stand in the log.
func toError(err error) *Error {
	if apiErr, ok := errors.AsType[*Error](err); ok {
		return apiErr
	}
	var problems register.Problems
	if errors.As(err, &problems) {
		problems = slices.Clone(problems)
		for i, p := range problems {
			if p.Cause != nil {
				problems[i].Text += ": " + p.Cause.Error() // the caller is the operator
			}
		}
		return &Error{http.StatusBadRequest, "invalid", problems[0].Text, problems[0].Field, problems}
	}
	status, code, text := web.AdminErrorFrom(err)
	return &Error{Status: status, Code: code, Message: text}
}

// handleErrors is around every handler: it answers an error, and logs what is ours.
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

// writeJSON answers with JSON. All values are types of this API, which always encode; a caller who has gone needs no
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
