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

// maxBody limits the body of a request, in bytes.
const maxBody = 256 << 10

// The numbers of items on a page of a listing.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

func (a *api) log() *slog.Logger {
	if a.Log != nil {
		return a.Log
	}
	return slog.Default()
}

// readObject reads the body of a request, which must be a JSON object. The caller checks its members.
func readObject(w http.ResponseWriter, r *http.Request) (map[string]json.RawMessage, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	isJSON := mediaType == "application/json" || mediaType == "application/merge-patch+json"
	if err != nil || !isJSON {
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

// readBody decodes a JSON object into a struct. It refuses members without a field. An empty body counts as an empty
// object, since most fields are optional.
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

// withoutQuery refuses requests with a query. It wraps all routes that change something.
func withoutQuery(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, err := parseQuery(r); err != nil {
			return err
		}
		return next(w, r)
	}
}

// withWaitLimit limits how long a request may wait for the store in total. It wraps all routes that change something.
func withWaitLimit(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		return next(w, r.WithContext(storage.WithWaitLimit(r.Context(), storage.RequestWait)))
	}
}

// withoutBody refuses requests with members in the body. It wraps routes that read no body: otherwise they would ignore
// a member such as dry_run, and do what the caller did not want.
func withoutBody(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := readBody(w, r, &struct{}{}); err != nil {
			return err
		}
		return next(w, r)
	}
}

// decodeFields decodes each member into the field of its JSON name. into is a pointer to a struct.
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

// parseQuery parses the query. It refuses unknown parameters and parameters that are given twice.
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

// parsePage is parseQuery for listings: it also allows the parameters after and limit, and returns the page that they
// ask for.
func parsePage(r *http.Request, known ...string) (values url.Values, page storage.Page, err error) {
	values, err = parseQuery(r, append(known, "after", "limit")...)
	if err != nil {
		return nil, storage.Page{}, err
	}
	page = storage.Page{After: values.Get("after"), Limit: defaultLimit}
	if text := values.Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 || limit > maxLimit {
			return nil, storage.Page{}, invalid("limit", "is not a number from 1 to %d", maxLimit)
		}
		page.Limit = limit
	}
	return values, page, nil
}

// parseBool parses a parameter that is true or false. A missing one counts as false.
func parseBool(values url.Values, name string) (bool, error) {
	switch values.Get(name) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, invalid(name, "is not true or false")
}

// parseTime parses a parameter that is a time. For a missing one it returns the zero time.
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
