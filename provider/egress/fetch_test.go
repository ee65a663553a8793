package egress

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fixture serves one answer that the test may change, counts requests, and has a clock.
type fixture struct {
	handler http.HandlerFunc
	calls   atomic.Int64
	clock   time.Time
	*httptest.Server
	*Client
}

func mustFixture(t *testing.T, handler http.HandlerFunc) *fixture {
	t.Helper()
	s := &fixture{handler: handler, clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		s.handler(w, r)
	}))
	t.Cleanup(s.Server.Close)
	s.Client = mustClient(t, Config{Allow: []string{"127.0.0.1"}, Now: func() time.Time { return s.clock }})
	return s
}

func jsonOf(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json; charset=utf-8")
		io.WriteString(w, body)
	}
}

func TestDocumentIsFetchedAtMostOnceAMinute(t *testing.T) {
	s := mustFixture(t, jsonOf(`{"keys":[]}`))
	for range 10 {
		body, err := s.FetchJSON(t.Context(), s.URL, 1000, 0)
		if err != nil || string(body) != `{"keys":[]}` {
			t.Fatalf("got %q, %v", body, err)
		}
		s.clock = s.clock.Add(6 * time.Second)
	}
	if got := s.calls.Load(); got != 1 {
		t.Errorf("in the first minute: got %d requests, want 1", got)
	}
	s.FetchJSON(t.Context(), s.URL, 1000, time.Hour)
	if got := s.calls.Load(); got != 1 {
		t.Errorf("for a caller content with an old document: got %d requests, want 1", got)
	}
	s.FetchJSON(t.Context(), s.URL, 1000, time.Minute)
	if got := s.calls.Load(); got != 2 {
		t.Errorf("after a minute: got %d requests, want 2", got)
	}
}

// TestFetchedDocumentsStayWithinTheirMemory: a caller that may register clients can name any number of large documents.
func TestFetchedDocumentsStayWithinTheirMemory(t *testing.T) {
	const size = 256 << 10
	s := mustFixture(t, jsonOf(`"`+strings.Repeat("x", size-2)+`"`))
	for i := range maxDocumentBytes/size + 20 {
		if _, err := s.FetchJSON(t.Context(), s.URL+"/"+strconv.Itoa(i), size, 0); err != nil {
			t.Fatal(err)
		}
		s.clock = s.clock.Add(time.Millisecond)
	}
	kept := 0
	for _, doc := range s.documents {
		kept += len(doc.body)
	}
	if kept > maxDocumentBytes || kept < maxDocumentBytes/2 {
		t.Errorf("got %d bytes kept, want at most %d and not much less", kept, maxDocumentBytes)
	}
	before := s.calls.Load()
	s.FetchJSON(t.Context(), s.URL+"/"+strconv.Itoa(maxDocumentBytes/size+19), size, 0)
	if s.calls.Load() != before {
		t.Error("got the latest document fetched again, want the oldest ones gone")
	}
}

func TestFailureIsRememberedForAMinuteOnly(t *testing.T) {
	s := mustFixture(t, http.NotFound)
	for range 5 {
		_, err := s.FetchJSON(t.Context(), s.URL, 1000, time.Hour)
		mustBeClass(t, err, Status)
	}
	if got := s.calls.Load(); got != 1 {
		t.Errorf("got %d requests, want 1", got)
	}
	s.handler = jsonOf("{}")
	s.clock = s.clock.Add(time.Minute)
	if _, err := s.FetchJSON(t.Context(), s.URL, 1000, time.Hour); err != nil {
		t.Errorf("after a minute: %v", err)
	}
}

func TestConcurrentCallersCauseOneRequest(t *testing.T) {
	first, others := make(chan struct{}), make(chan struct{})
	s := mustFixture(t, func(w http.ResponseWriter, r *http.Request) {
		close(first)
		<-others
		jsonOf("{}")(w, r)
	})
	var wg sync.WaitGroup
	fetch := func() {
		if _, err := s.FetchJSON(t.Context(), s.URL, 1000, 0); err != nil {
			t.Error(err)
		}
	}
	wg.Go(fetch)
	<-first
	for range 20 {
		wg.Go(fetch)
	}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.FetchJSON(impatient, s.URL, 1000, 0)
	mustBeClass(t, err, Canceled)
	close(others)
	wg.Wait()
	if got := s.calls.Load(); got != 1 {
		t.Errorf("got %d requests, want 1", got)
	}
}

func TestFetchIsNotGivenUpWithItsFirstCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := mustFixture(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		jsonOf("{}")(w, r)
	})
	if _, err := s.FetchJSON(ctx, s.URL, 1000, 0); err != nil {
		t.Errorf("got %v, want the document", err)
	}
}

func TestUnfitDocumentsAreRefused(t *testing.T) {
	var sent atomic.Int64
	tests := []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"64 MB", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			part := []byte(strings.Repeat(" ", 64<<10))
			for range 1024 {
				n, err := w.Write(part)
				if sent.Add(int64(n)); err != nil {
					return
				}
			}
		}},
		{"one byte too many", jsonOf(`"` + strings.Repeat("a", 999) + `"`)},
		{"HTML", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }},
		{"JSON called text", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, "{}")
		}},
		{"broken JSON", jsonOf(`{"keys":[`)},
		{"compressed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			w.Write([]byte{0x1f, 0x8b, 8, 0})
		}},
	}
	for _, tt := range tests {
		s := mustFixture(t, tt.handler)
		_, err := s.FetchJSON(t.Context(), s.URL, 1000, 0)
		mustBeClass(t, err, Content)
		s.Server.Close()
	}
	if sent.Load() >= 64<<20 {
		t.Error("64 MB were taken in")
	}
}

func TestRequestURIKeepsItsFragmentToItself(t *testing.T) {
	var asked string
	s := mustFixture(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.RequestURI
		io.WriteString(w, "a.b.c")
	})
	for i, uri := range []string{s.URL + "/r#one", s.URL + "/r#two"} {
		body, err := s.FetchBytes(t.Context(), uri, 1000, 0)
		if err != nil || string(body) != "a.b.c" || asked != "/r" {
			t.Errorf("got %q, %v, asked %q", body, err, asked)
		}
		if got := s.calls.Load(); got != int64(i+1) {
			t.Errorf("another fragment names another content: got %d requests, want %d", got, i+1)
		}
	}
}

func TestRememberedDocumentsAreBounded(t *testing.T) {
	s := mustFixture(t, jsonOf("{}"))
	for i := range maxDocuments + 10 {
		s.document(s.URL + strings.Repeat("x", i))
	}
	if got := len(s.documents); got != maxDocuments {
		t.Errorf("got %d documents, want %d", got, maxDocuments)
	}
}

// TestFailedFetchNeverReplacesAGoodCopy: else anyone who makes us fetch again while the host is down takes the
// client's keys away.
func TestFailedFetchNeverReplacesAGoodCopy(t *testing.T) {
	good := jsonOf(`{"keys":[1]}`)
	for name, broken := range map[string]http.HandlerFunc{
		"status":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"gone":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"no JSON": jsonOf(`<html>`),
		"larger":  jsonOf(`"` + strings.Repeat("x", 2000) + `"`),
	} {
		s := mustFixture(t, good)
		if _, err := s.FetchJSON(t.Context(), s.URL, 1000, time.Hour); err != nil {
			t.Fatal(err)
		}
		s.handler = broken
		for range 3 {
			s.clock = s.clock.Add(2 * time.Hour)
			body, err := s.FetchJSON(t.Context(), s.URL, 1000, time.Hour)
			if err != nil || string(body) != `{"keys":[1]}` {
				t.Errorf("%s: got %q, %v, want the good copy", name, body, err)
			}
			if _, err := s.FetchJSON(t.Context(), s.URL, 1000, 0); err == nil {
				t.Errorf("%s: got no error for a caller that needs a fresh copy", name)
			}
		}
		s.handler = jsonOf(`{"keys":[2]}`)
		s.clock = s.clock.Add(2 * time.Minute)
		if body, err := s.FetchJSON(t.Context(), s.URL, 1000, time.Hour); err != nil || string(body) != `{"keys":[2]}` {
			t.Errorf("%s: got %q, %v after the host came back, want the new document", name, body, err)
		}
	}
}
