package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// errInternal means that the suite answered 500.
var errInternal = errors.New("internal error")

// API calls the REST API of a suite.
type API struct {
	Base  string // the suite's https URL, without a slash at its end
	Token string // sent as a bearer token; empty for a suite in developer mode
	HTTP  *http.Client
}

// Variant has a value for each of the suite's variant parameters that are chosen.
type Variant map[string]string

// String returns the values in alphabetical order: "client_registration=static_client, response_type=code".
func (v Variant) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		parts = append(parts, name+"="+v[name])
	}
	return strings.Join(parts, ", ")
}

// Includes reports whether v has every value of part.
func (v Variant) Includes(part Variant) bool {
	for name, value := range part {
		if v[name] != value {
			return false
		}
	}
	return true
}

// Contradicts reports whether v and part have different values for a parameter.
func (v Variant) Contradicts(part Variant) bool {
	for name, value := range part {
		if chosen, ok := v[name]; ok && chosen != value {
			return true
		}
	}
	return false
}

// Plan is a plan that the suite has created.
type Plan struct {
	ID      string   `json:"id"`
	Modules []Module `json:"modules"`
}

// Module is one module of a plan. A plan may have a module several times with different variants.
type Module struct {
	Name    string  `json:"testModule"`
	Variant Variant `json:"variant"`
}

// The states of a running module.
const (
	Configured  = "CONFIGURED"
	Waiting     = "WAITING"
	Finished    = "FINISHED"
	Interrupted = "INTERRUPTED"
)

// The results of a module.
const (
	Passed  = "PASSED"
	Warning = "WARNING"
	Review  = "REVIEW"
	Skipped = "SKIPPED"
	Failed  = "FAILED"
)

// Info is the state and the result of a module.
type Info struct {
	Status string `json:"status"`
	Result string `json:"result"`
}

// Entry is one line of a module's log.
type Entry struct {
	Source  string `json:"src"`
	Message string `json:"msg"`
	Result  string `json:"result"` // WARNING and FAILURE are findings
	Time    int64  `json:"time"`   // milliseconds

	Upload  string `json:"upload"`           // the name of an open placeholder for a picture
	Image   string `json:"img"`              // set if a picture was uploaded for the placeholder
	Matched string `json:"matched_regexp"`   // set if the suite's own browser filled the placeholder by this pattern
	Page    string `json:"response_content"` // a page that the suite's own browser got
}

// BrowserRequests are the visits that a module waits for.
type BrowserRequests struct {
	URLs []struct {
		URL    string `json:"url"`
		Method string `json:"method"`
	} `json:"urlsWithMethod"`
	Runners []json.RawMessage `json:"runners"` // the suite's own browsers that are running
}

// Version returns the suite's version. It fails until the suite is ready.
func (a *API) Version(ctx context.Context) (string, error) {
	var server struct {
		Version string `json:"version"`
	}
	err := a.call(ctx, http.MethodGet, "/api/server", nil, nil, &server)
	return server.Version, err
}

// CreatePlan creates a plan with a variant and a configuration.
func (a *API) CreatePlan(ctx context.Context, name string, v Variant, config any) (Plan, error) {
	var plan Plan
	body, err := json.Marshal(config)
	if err != nil {
		return plan, fmt.Errorf("encode configuration: %w", err)
	}
	err = a.call(ctx, http.MethodPost, "/api/plan", url.Values{"planName": {name}, "variant": {v.json()}}, body, &plan)
	return plan, err
}

// StartModule creates an instance of a plan's module and returns its id. The suite starts most modules by itself; for
// the others see Continue.
func (a *API) StartModule(ctx context.Context, plan string, m Module) (string, error) {
	query := url.Values{"test": {m.Name}, "plan": {plan}}
	if len(m.Variant) > 0 {
		query.Set("variant", m.Variant.json())
	}
	var created struct {
		ID string `json:"id"`
	}
	err := a.call(ctx, http.MethodPost, "/api/runner", query, nil, &created)
	return created.ID, err
}

// Continue starts a module that the suite does not start by itself: it stays CONFIGURED.
func (a *API) Continue(ctx context.Context, id string) error {
	return a.call(ctx, http.MethodPost, "/api/runner/"+id, nil, nil, nil)
}

// WaitFor waits until the module is in one of the states, and reports whether it is. The suite waits at most 30 s.
func (a *API) WaitFor(ctx context.Context, id string, wait time.Duration, states ...string) (bool, error) {
	var answer struct {
		State string `json:"state"`
	}
	query := url.Values{
		"states":    {strings.Join(states, ",")},
		"timeoutMs": {strconv.FormatInt(wait.Milliseconds(), 10)},
	}
	err := a.call(ctx, http.MethodGet, "/api/runner/"+id+"/wait-state", query, nil, &answer)
	return answer.State != "", err
}

// Info returns a module's state and result.
func (a *API) Info(ctx context.Context, id string) (info Info, err error) {
	err = a.call(ctx, http.MethodGet, "/api/info/"+id, nil, nil, &info)
	return info, err
}

// Log returns the entries of a module's log after a time in milliseconds. 0 means all entries.
func (a *API) Log(ctx context.Context, id string, since int64) (entries []Entry, err error) {
	query := url.Values{}
	if since > 0 {
		query.Set("since", strconv.FormatInt(since, 10))
	}
	err = a.call(ctx, http.MethodGet, "/api/log/"+id, query, nil, &entries)
	return entries, err
}

// BrowserRequests returns the visits that a running module waits for. The error errInternal may be temporary: the suite
// answers so while its own browser closes a window.
func (a *API) BrowserRequests(ctx context.Context, id string) (BrowserRequests, error) {
	var status struct {
		Browser BrowserRequests `json:"browser"`
	}
	err := a.call(ctx, http.MethodGet, "/api/runner/"+id, nil, nil, &status)
	return status.Browser, err
}

// Visited informs the suite that a URL was visited.
func (a *API) Visited(ctx context.Context, id, visited string) error {
	return a.call(ctx, http.MethodPost, "/api/runner/browser/"+id+"/visit", url.Values{"url": {visited}}, nil, nil)
}

// Placeholders returns the names of the module's open placeholders for pictures.
func (a *API) Placeholders(ctx context.Context, id string) ([]string, error) {
	var images []Entry
	err := a.call(ctx, http.MethodGet, "/api/log/"+id+"/images", nil, nil, &images)
	var open []string
	for _, image := range images {
		if image.Upload != "" {
			open = append(open, image.Upload)
		}
	}
	return open, err
}

// Upload fills a placeholder with a picture in the form of a data URL.
func (a *API) Upload(ctx context.Context, id, placeholder, picture string) error {
	return a.call(
		ctx,
		http.MethodPost,
		"/api/log/"+id+"/images/"+url.PathEscape(placeholder),
		nil,
		[]byte(picture),
		nil,
	)
}

// Stop ends a running module.
func (a *API) Stop(ctx context.Context, id string) error {
	return a.call(ctx, http.MethodDelete, "/api/runner/"+id, nil, nil, nil)
}

// Export writes a plan's signed results as a zip file.
func (a *API) Export(ctx context.Context, w io.Writer, plan string) error {
	res, err := a.send(ctx, http.MethodGet, "/api/plan/export/"+plan, nil, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(w, res.Body)
	return err
}

// call sends a request and decodes the JSON answer into out, unless out is nil.
func (a *API) call(ctx context.Context, method, path string, query url.Values, body []byte, out any) error {
	res, err := a.send(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

func (a *API) send(ctx context.Context, method, path string, query url.Values, body []byte) (*http.Response, error) {
	target := a.Base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", contentType(path))
	}
	if a.Token != "" {
		req.Header.Set("Authorization", "Bearer "+a.Token)
	}
	res, err := a.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 != 2 {
		defer res.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(res.Body, 500))
		err := fmt.Errorf("%s %s: %s %s", method, path, res.Status, body)
		if res.StatusCode == http.StatusInternalServerError {
			err = fmt.Errorf("%w: %w", errInternal, err)
		}
		return nil, err
	}
	return res, nil
}

// contentType returns the type of a request's body: JSON, but text for pictures.
func contentType(path string) string {
	if strings.Contains(path, "/images/") {
		return "text/plain"
	}
	return "application/json"
}

func (v Variant) json() string {
	text, _ := json.Marshal(map[string]string(v)) // a map of strings always encodes
	return string(text)
}
