package suite

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeSuite answers as the suite's REST API does. What a module does is a function that runs beside it.
type fakeSuite struct {
	t       *testing.T
	plan    []Module
	plays   map[string]func(*instance) // by module; nil passes at once
	mu      sync.Mutex
	configs []map[string]any // of the plans created
	started []*instance
	playing sync.WaitGroup
}

// instance is one module that runs.
type instance struct {
	s      *fakeSuite
	module string
	id     string

	status, result string
	log            []Entry
	open           []string // placeholders
	urls           []string // to be visited
	closing        int      // how often it does not know what is to be visited, because its own browser closes a window
	visited        []string
	uploads        map[string]string
	started        chan struct{} // closed when the module is started
	stopped        bool
	began, ended   time.Time
}

func newFakeSuite(t *testing.T, modules ...string) *fakeSuite {
	s := &fakeSuite{t: t, plays: map[string]func(*instance){}}
	for _, name := range modules {
		s.plan = append(s.plan, Module{Name: name, Variant: Variant{"response_type": "code"}})
	}
	return s
}

// api is an API whose requests never leave the process.
func (s *fakeSuite) api() *API {
	return &API{Base: "https://suite.test", HTTP: &http.Client{Transport: roundTripper(s.handler().ServeHTTP)}}
}

type roundTripper http.HandlerFunc

func (serve roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	serve(rec, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return rec.Result(), nil
}

func (s *fakeSuite) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(
		"GET /api/server",
		func(w http.ResponseWriter, r *http.Request) { answer(w, map[string]string{"version": "9.9"}) },
	)
	mux.HandleFunc("POST /api/plan", s.createPlan)
	mux.HandleFunc("GET /api/plan/export/{id}", s.export)
	mux.HandleFunc("POST /api/runner", s.start)
	mux.HandleFunc("GET /api/runner/{id}/wait-state", s.waitState)
	mux.HandleFunc(
		"POST /api/runner/browser/{id}/visit",
		s.of(func(i *instance, w http.ResponseWriter, r *http.Request) {
			i.urls = slices.DeleteFunc(i.urls, func(u string) bool { return u == r.FormValue("url") })
			i.visited = append(i.visited, r.FormValue("url"))
		}),
	)
	mux.HandleFunc("GET /api/runner/{id}", s.of(func(i *instance, w http.ResponseWriter, r *http.Request) {
		if i.closing > 0 {
			i.closing--
			http.Error(w, "Session is closed", http.StatusInternalServerError)
			return
		}
		var urls []map[string]string
		for _, u := range i.urls {
			urls = append(urls, map[string]string{"url": u, "method": "GET"})
		}
		answer(w, map[string]any{"browser": map[string]any{"urlsWithMethod": urls}})
	}))
	mux.HandleFunc(
		"POST /api/runner/{id}",
		s.of(func(i *instance, w http.ResponseWriter, r *http.Request) { close(i.started) }),
	)
	mux.HandleFunc("DELETE /api/runner/{id}", s.of(func(i *instance, w http.ResponseWriter, r *http.Request) {
		i.stopped = true
		i.status = Interrupted
	}))
	mux.HandleFunc("GET /api/info/{id}", s.of(func(i *instance, w http.ResponseWriter, r *http.Request) {
		answer(w, Info{Status: i.status, Result: i.result})
	}))
	mux.HandleFunc(
		"GET /api/log/{id}",
		s.of(func(i *instance, w http.ResponseWriter, r *http.Request) { answer(w, i.log) }),
	)
	mux.HandleFunc("GET /api/log/{id}/images", s.of(func(i *instance, w http.ResponseWriter, r *http.Request) {
		var images []Entry
		for _, name := range i.open {
			images = append(images, Entry{Upload: name})
		}
		answer(w, images)
	}))
	mux.HandleFunc("POST /api/log/{id}/images/{name}", s.of(upload))
	return mux
}

// upload takes a picture.
func upload(i *instance, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		i.s.t.Error(err)
	}
	picture := r.Header.Get("Content-Type") + " " + string(body)
	i.uploads[r.PathValue("name")] = picture
	i.open = slices.DeleteFunc(i.open, func(name string) bool { return name == r.PathValue("name") })
	i.log = append(i.log, Entry{Image: picture})
}

func (s *fakeSuite) createPlan(w http.ResponseWriter, r *http.Request) {
	var config map[string]any
	if err := json.NewDecoder(r.Body).Decode(&config); err != nil {
		s.t.Errorf("configuration: %v", err)
	}
	s.mu.Lock()
	s.configs = append(s.configs, config)
	s.mu.Unlock()
	w.WriteHeader(http.StatusCreated)
	answer(w, Plan{ID: "plan-1", Modules: s.plan})
}

// export serves the results of the plan. The suite answers 404 for a plan of which no module has started.
func (s *fakeSuite) export(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.started) == 0 {
		http.NotFound(w, r)
		return
	}
	fmt.Fprint(w, "zip")
}

func (s *fakeSuite) start(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	i := &instance{
		s:       s,
		module:  r.FormValue("test"),
		id:      fmt.Sprintf("id%d", len(s.started)),
		status:  "RUNNING",
		uploads: map[string]string{},
		started: make(chan struct{}),
		began:   time.Now(),
	}
	s.started = append(s.started, i)
	s.mu.Unlock()
	play := s.plays[i.module]
	if play == nil {
		play = func(i *instance) { i.finish(Passed) }
	}
	s.playing.Go(func() { play(i) })
	w.WriteHeader(http.StatusCreated)
	answer(w, map[string]string{"id": i.id})
}

func (s *fakeSuite) waitState(w http.ResponseWriter, r *http.Request) {
	states := strings.Split(r.FormValue("states"), ",")
	wait, err := time.ParseDuration(r.FormValue("timeoutMs") + "ms")
	if err != nil || wait > 30*time.Second {
		s.t.Errorf("got timeoutMs %q, want at most 30000", r.FormValue("timeoutMs"))
	}
	for end := time.Now().Add(wait); ; time.Sleep(10 * time.Millisecond) {
		status := s.find(r.PathValue("id")).now()
		switch {
		case slices.Contains(states, status):
			answer(w, map[string]string{"state": status})
			return
		case !time.Now().Before(end) || r.Context().Err() != nil:
			answer(w, map[string]bool{"timeout": true})
			return
		}
	}
}

// of serves one instance, with its fields locked.
func (s *fakeSuite) of(serve func(*instance, http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		i := s.find(r.PathValue("id"))
		if i == nil {
			http.NotFound(w, r)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		serve(i, w, r)
	}
}

func (s *fakeSuite) find(id string) *instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.started {
		if i.id == id {
			return i
		}
	}
	return nil
}

// change changes an instance as the suite does while it runs.
func (i *instance) change(f func()) {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	f()
}

func (i *instance) now() string {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	return i.status
}

func (i *instance) finish(result string, entries ...Entry) {
	i.change(func() {
		i.log = append(i.log, entries...)
		i.status = Finished
		i.result = result
		i.ended = time.Now()
	})
}

func answer(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }
