package suite

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/curfew-id/curfew/conformance/need"
)

// fakeSites are an OP and a suite as a browser sees them. They note what reaches them.
type fakeSites struct {
	mu    sync.Mutex
	notes []string
}

func (s *fakeSites) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

func (s *fakeSites) op(suite string) http.Handler {
	mux := http.NewServeMux()
	page := func(w http.ResponseWriter, body string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!doctype html><title>op</title>", body)
	}
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		s.note("%s authorize %s", r.Method, r.FormValue("scope"))
		http.Redirect(w, r, "/login/1", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /login/1", func(w http.ResponseWriter, r *http.Request) {
		page(
			w,
			`<form method="post"><input id="username" name="username"><input id="password" name="password" type="password"><button id="sign-in">Sign in</button></form>`,
		)
	})
	mux.HandleFunc("POST /login/1", func(w http.ResponseWriter, r *http.Request) {
		s.note("login %s %s", r.FormValue("username"), r.FormValue("password"))
		page(
			w,
			`<form method="post" action="/consent/1"><button id="deny">Deny</button><button id="allow">Allow</button></form>`,
		)
	})
	mux.HandleFunc("POST /consent/1", func(w http.ResponseWriter, r *http.Request) {
		s.note("consent")
		http.Redirect(w, r, suite+"/test/a/x/callback?code=1#frag", http.StatusSeeOther)
	})
	mux.HandleFunc("/refused", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `<p id="error-description">The redirect_uri is not registered.</p>`)
	})
	return mux
}

func (s *fakeSites) suite() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /test/a/x/callback", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(
			w,
			`<body><script>fetch('/test/a/x/implicit', {method: 'POST', body: location.hash}).then(function () {
			document.body.insertAdjacentHTML('beforeend', '<span id="submission_complete"></span>'); })</script>`,
		)
	})
	mux.HandleFunc("POST /test/a/x/implicit", func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		if _, err := body.ReadFrom(r.Body); err == nil {
			s.note("fragment %s", body.String())
		}
	})
	return mux
}

func mustOpen(t *testing.T, sites *fakeSites) (window Window, op string) {
	t.Helper()
	need.Program(t, "chromium")
	suiteSite := httptest.NewTLSServer(sites.suite())
	t.Cleanup(suiteSite.Close)
	opSite := httptest.NewTLSServer(sites.op(suiteSite.URL))
	t.Cleanup(opSite.Close)
	browser := &ChromiumBrowser{NoSandbox: os.Getuid() == 0, Suite: suiteSite.URL}
	t.Cleanup(browser.Close)
	window, err := browser.Open(t.Context(), Run{}, User{Username: "ada", Password: `pass"word\`}, opSite.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(window.Close)
	return window, opSite.URL
}

func TestChromiumGoesOnUntilTheSuiteHasItsAnswer(t *testing.T) {
	sites := &fakeSites{}
	window, op := mustOpen(t, sites)
	for _, method := range []string{"GET", "POST"} {
		if _, err := window.Visit(t.Context(), method, op+"/authorize?scope=openid+email", false); err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		want := []string{method + " authorize openid email", `login ada pass"word\`, "consent", "fragment #frag"}
		sites.mu.Lock()
		if !slices.Equal(sites.notes, want) {
			t.Errorf("got %q, want %q", sites.notes, want)
		}
		sites.notes = nil
		sites.mu.Unlock()
	}
}

func TestChromiumTakesAPictureOfAPageThatLeadsNowhere(t *testing.T) {
	window, op := mustOpen(t, &fakeSites{})
	picture, err := window.Visit(t.Context(), "GET", op+"/refused", true)
	if err != nil || !bytes.HasPrefix(picture, []byte("\x89PNG")) {
		t.Errorf("got %d bytes, %v; want a PNG", len(picture), err)
	}
	if picture, err = window.Draw(t.Context(), "<h1>drawn</h1>"); err != nil ||
		!bytes.HasPrefix(picture, []byte("\x89PNG")) {
		t.Errorf("got %d bytes, %v; want a PNG", len(picture), err)
	}
}
