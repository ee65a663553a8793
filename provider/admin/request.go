package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/storage"
)

// maxBody is the largest request body, in bytes.
const maxBody = 256 << 10

// maxLimit is the longest page of a listing.
const maxLimit = 1000

func (a *api) log() *slog.Logger {
	if a.Log != nil {
		return a.Log
	}
	return slog.Default()
}

// readObject reads a JSON object, whose members the caller checks.
func readObject(w http.ResponseWriter, r *http.Request) (map[string]json.RawMessage, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil ||
		kind != "application/json" && kind != "application/merge-patch+json" {
		return nil, invalid("body", "is not of the type application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &Error{
			Status:  http.StatusRequestEntityTooLarge,
			Code:    "too_large",
			Message: fmt.Sprintf("has more than %d bytes", maxBody),
			Field:   "body",
		}
	}
	if err != nil {
		return nil, invalid("body", "broke off")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return nil, invalid("body", "is not a JSON object")
	}
	return members, nil
}

// readBody reads a JSON object into a struct and refuses members that it has no field for. No body at all is an empty
// object: most acts need no word.
func readBody(w http.ResponseWriter, r *http.Request, into any) error {
	if r.ContentLength == 0 {
		return nil
	}
	members, err := readObject(w, r)
	if err != nil {
		return err
	}
	return decodeFields(members, into)
}

// withoutQuery is around acts, which take no query.
func withoutQuery(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, err := parseQuery(r); err != nil {
			return err
		}
		return next(w, r)
	}
}

// withoutBody is around acts that take no body: what one says there, a dry run for instance, must not pass for done.
func withoutBody(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := readBody(w, r, &struct{}{}); err != nil {
			return err
		}
		return next(w, r)
	}
}

func decodeFields(members map[string]json.RawMessage, into any) error {
	value := reflect.ValueOf(into).Elem()
	fields := map[string]reflect.Value{}
	for i := range value.NumField() {
		name, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
		fields[name] = value.Field(i)
	}
	known := slices.Sorted(maps.Keys(fields))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		field, ok := fields[name]
		if !ok {
			return invalid(name, "%s", register.DescribeUnknown(name, known))
		}
		if err := json.Unmarshal(members[name], field.Addr().Interface()); err != nil {
			return invalid(name, "is not %s", describeType(field.Type()))
		}
	}
	return nil
}

func describeType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "an array of strings"
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return "a time such as 2026-11-21T10:00:00Z"
		}
	case reflect.String:
		return "a string"
	}
	return "of the right type"
}

// parseQuery reads the query, which may hold these parameters and each of them once.
func parseQuery(r *http.Request, known ...string) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("query", "is not well formed")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(known, name) {
			return nil, invalid(name, "%s", register.DescribeUnknown(name, known))
		}
		if len(values[name]) > 1 {
			return nil, invalid(name, "is given more than once")
		}
	}
	return values, nil
}

// parsePage is query for listings: they all take after and limit.
func parsePage(r *http.Request, known ...string) (url.Values, storage.Page, error) {
	values, err := parseQuery(r, append(known, "after", "limit")...)
	if err != nil {
		return nil, storage.Page{}, err
	}
	page := storage.Page{After: values.Get("after"), Limit: 100}
	if text := values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			return nil, storage.Page{}, invalid("limit", "is not a number from 1 to %d", maxLimit)
		}
		page.Limit = n
	}
	return values, page, nil
}

func parseBool(values url.Values, name string) (bool, error) {
	switch values.Get(name) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, invalid(name, "is not true or false")
}

func parseTime(values url.Values, name string) (time.Time, error) {
	text := values.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, invalid(name, "is not a time such as 2026-11-21T10:00:00Z")
	}
	return at, nil
}
