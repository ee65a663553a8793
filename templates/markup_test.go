package templates

import (
	"bytes"
	"encoding/xml"
	"io"
	"regexp"
	"strings"
	"testing"
)

// element is a start tag with its attributes, and the text right after it.
type element struct {
	name string
	attr map[string]string
	text string
}

func (e element) has(attr string) bool { _, ok := e.attr[attr]; return ok }

// mustParse lists a document's elements in order. It is strict about what our own markup is: nested properly.
func mustParse(t *testing.T, page []byte) []element {
	t.Helper()
	page = bytes.ReplaceAll(page, []byte("\x01"), nil) // harmless in HTML, no XML
	d := xml.NewDecoder(bytes.NewReader(page))
	d.Strict = false
	d.AutoClose = xml.HTMLAutoClose
	d.Entity = xml.HTMLEntity
	var all []element
	for {
		token, err := d.Token()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("parse page: %v\n%s", err, page)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{name: token.Name.Local, attr: map[string]string{}}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			all = append(all, e)
		case xml.CharData:
			if n := len(all); n > 0 && all[n-1].text == "" {
				all[n-1].text = strings.TrimSpace(string(token))
			}
		}
	}
}

func TestPagesFitAStrictPolicy(t *testing.T) {
	for _, s := range Samples() {
		for _, e := range mustParse(t, mustRender(t, s)) {
			if e.name == "style" || e.name == "base" || e.name == "object" || e.name == "embed" {
				t.Errorf("%s: got a %s element, want none", s.Name, e.name)
			}
			if e.name == "script" && (e.attr["src"] == "" || e.text != "") {
				t.Errorf("%s: got a script without a file of its own", s.Name)
			}
			for a := range e.attr {
				if a == "style" || strings.HasPrefix(a, "on") {
					t.Errorf("%s: got %s on %s, want no such attribute", s.Name, a, e.name)
				}
			}
		}
	}
}

func TestPagesCanBeReadAndUsedByAllUsers(t *testing.T) {
	for _, s := range Samples() {
		t.Run(s.Name, func(t *testing.T) {
			all := mustParse(t, mustRender(t, s))
			ids, labelled := map[string]bool{}, map[string]bool{}
			count := map[string]int{}
			for _, e := range all {
				count[e.name]++
				if id := e.attr["id"]; id != "" {
					if ids[id] {
						t.Errorf("two elements have the id %s", id)
					}
					ids[id] = true
				}
				if e.name == "label" {
					labelled[e.attr["for"]] = true
				}
			}
			if count["h1"] != 1 || count["main"] != 1 || count["title"] != 1 {
				t.Errorf("got %d h1, %d main, %d title, want one of each", count["h1"], count["main"], count["title"])
			}
			for _, e := range all {
				switch e.name {
				case "html":
					if e.attr["lang"] != "en" {
						t.Errorf("got lang %q, want en", e.attr["lang"])
					}
				case "title", "h1":
					if e.text == "" {
						t.Errorf("got an empty %s", e.name)
					}
				case "input":
					if e.attr["type"] == "hidden" || e.has("hidden") {
						continue
					}
					if !labelled[e.attr["id"]] {
						t.Errorf("got no label for input %q", e.attr["name"])
					}
					if e.attr["type"] == "password" || e.attr["type"] == "email" || e.attr["name"] == "username" {
						if e.attr["autocomplete"] == "" {
							t.Errorf("got no autocomplete on %q", e.attr["name"])
						}
					}
				case "img":
					if !e.has("alt") {
						t.Error("got an image without alt")
					}
				case "iframe":
					if e.attr["title"] == "" {
						t.Error("got a frame without a title")
					}
				case "a":
					if strings.Contains(e.attr["class"], "skip") && count["main"] == 1 && e.attr["href"] != "#content" {
						t.Errorf("got the skip link to %s, want it to lead to the content", e.attr["href"])
					}
				case "svg":
					if e.attr["aria-hidden"] != "true" {
						t.Error("got an icon that is read out")
					}
				}
				for _, ref := range strings.Fields(e.attr["aria-describedby"] + " " + e.attr["aria-labelledby"] + " " + e.attr["for"]) {
					if !ids[ref] {
						t.Errorf("%s refers to %q, which is not there", e.name, ref)
					}
				}
				if n := e.attr["tabindex"]; n != "" && n != "-1" {
					t.Errorf("got tabindex %s on %s", n, e.name)
				}
				if e.has("aria-invalid") && e.attr["aria-describedby"] == "" {
					t.Errorf("%s is invalid, but nothing says why", e.attr["id"])
				}
			}
		})
	}
}

func TestPagesKeepTheirIDs(t *testing.T) {
	want := map[string]string{
		"signin-application": "username password keep sign-in",
		"signin-logo":        "policy tos",
		"signin-again":       "username password sign-in other-account",
		"consent":            "allow deny other-account",
		"signout-all":        "sign-out sign-out-everywhere sign-out-application stay",
		"signout-problem":    "error-description sign-out",
		"signedout":          "signed-out continue",
		"signedout-none":     "signed-out",
		"error-redirect-uri": "error-description",
		"sessions":           "sign-out-others sign-out-everywhere sign-out-everywhere-offline",
		"security":           "current-password new-password email set-password set-email",
		"resetpassword":      "new-password repeat-password set-password",
		"chooseaccount":      "continue other-account",
		"formpost":           "submit-form",
	}
	for _, s := range Samples() {
		page := string(mustRender(t, s))
		for _, id := range strings.Fields(want[s.Name]) {
			if !strings.Contains(page, ` id="`+id+`"`) {
				t.Errorf("%s: got no id %s", s.Name, id)
			}
		}
	}
}

// Enter in a field presses the form's first button; on the devices page that would sign a device out.
func TestEnterOnTheDevicesPageEndsNothing(t *testing.T) {
	for _, s := range Samples() {
		if !strings.HasPrefix(s.Name, "sessions") {
			continue
		}
		for _, e := range mustParse(t, mustRender(t, s)) {
			if e.name == "input" && e.attr["type"] != "hidden" {
				t.Errorf("%s: got the field %v, want none", s.Name, e.attr)
			}
		}
	}
}

func TestEveryFormButtonOfTheAccountSaysWhatItEnds(t *testing.T) {
	unnamed := regexp.MustCompile(`<button[^>]*>(Sign out|Remove access|This wasn’t me)</button>`)
	for _, s := range Samples() {
		if strings.HasPrefix(s.Name, "signout") {
			continue // one account, one browser
		}
		if m := unnamed.Find(mustRender(t, s)); m != nil {
			t.Errorf("%s: %s does not say of what", s.Name, m)
		}
	}
}

func TestFramesStandOnlyWhereTheyAreGivenAndAreSandboxed(t *testing.T) {
	for _, s := range Samples() {
		n := 0
		for _, e := range mustParse(t, mustRender(t, s)) {
			if e.name != "iframe" {
				continue
			}
			n++
			if e.attr["sandbox"] != "allow-scripts allow-same-origin" || e.attr["referrerpolicy"] != "no-referrer" ||
				e.attr["loading"] == "lazy" {
				t.Errorf("%s: got frame %v", s.Name, e.attr)
			}
		}
		if want := map[bool]int{true: 1}[s.Name == "signedout-first"]; n != want {
			t.Errorf("%s: got %d frames, want %d", s.Name, n, want)
		}
	}
}
