package templates

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
)

func TestEveryAssetOfAPageIsServed(t *testing.T) {
	served := map[string]bool{}
	for _, a := range Assets() {
		served[a.Path] = true
		if len(a.Body) == 0 || a.ContentType == "" ||
			!regexp.MustCompile(`^/static/[a-z]+\.[0-9a-f]{16}\.(css|js|svg)$`).MatchString(a.Path) {
			t.Errorf("got asset %s, %s, %d bytes", a.Path, a.ContentType, len(a.Body))
		}
	}
	for _, s := range Samples() {
		for _, e := range mustParse(t, mustRender(t, s)) {
			for _, a := range []string{"src", "href"} {
				if v := e.attr[a]; strings.HasPrefix(v, "/static/") && !served[v] {
					t.Errorf("%s: %s is not served", s.Name, v)
				}
			}
			if e.name == "script" && !strings.HasPrefix(e.attr["src"], "/static/") {
				t.Errorf("%s: got script %s, want one of ours", s.Name, e.attr["src"])
			}
		}
	}
}

// Old browsers, and the one that certification uses, read ECMAScript 5.
func TestScriptsAreES5(t *testing.T) {
	later := regexp.MustCompile(
		"=>|\\b(let|const|class|async|await|import|export|yield)\\b|`|\\.\\.\\.|\\?\\.|\\?\\?|\\bfetch\\(|\\.includes\\(|\\bfor \\(var \\w+ of\\b|innerHTML|outerHTML|document\\.write|\\beval\\b",
	)
	comments := regexp.MustCompile(`(?s)/\*.*?\*/|'[^'\n]*'`)
	for name, a := range assets {
		if !strings.HasSuffix(name, ".js") {
			continue
		}
		if m := later.Find(comments.ReplaceAll(a.Body, nil)); m != nil {
			t.Errorf("%s: got %q", name, m)
		}
	}
}

func TestStyleSheetLoadsNothingElse(t *testing.T) {
	if m := regexp.MustCompile(`@import|url\(|expression`).Find(assets["curfew.css"].Body); m != nil {
		t.Errorf("got %s", m)
	}
}

// WCAG 2.2, 1.4.3 and 1.4.11: 4.5 for text, 3 for the edge of a field, in both schemes.
func TestColoursCanBeDistinguished(t *testing.T) {
	colour := regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{3,6})`)
	schemes := strings.SplitN(string(assets["curfew.css"].Body), "@media (prefers-color-scheme: dark)", 2)
	if len(schemes) != 2 {
		t.Fatal("got no dark scheme")
	}
	for i, css := range schemes {
		c := map[string]string{}
		for _, m := range colour.FindAllStringSubmatch(css, -1) {
			if c[m[1]] == "" {
				c[m[1]] = m[2]
			}
		}
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"ink", "ground", 4.5}, {"ink", "card", 4.5}, {"ink", "accent-soft", 4.5}, {"ink", "bad-soft", 4.5},
			{
				"soft",
				"ground",
				4.5,
			}, {
				"soft",
				"card",
				4.5,
			}, {"accent", "ground", 4.5}, {"accent", "card", 4.5}, {"accent", "accent-soft", 4.5},
			{"accent-strong", "ground", 4.5}, {"on-accent", "accent", 4.5}, {"on-accent", "accent-strong", 4.5},
			{
				"good",
				"card",
				4.5,
			}, {"warn", "card", 4.5}, {"bad", "card", 4.5}, {"bad", "ground", 4.5}, {"bad", "bad-soft", 4.5},
			{"edge", "card", 3}, {"edge", "ground", 3},
		} {
			if got := contrast(t, c[pair.front], c[pair.back]); got < pair.least {
				t.Errorf(
					"scheme %d: got contrast %.2f of %s on %s, want %.1f",
					i,
					got,
					pair.front,
					pair.back,
					pair.least,
				)
			}
		}
	}
}

// contrast is the ratio of WCAG 2.2.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	la, lb := luminance(t, a), luminance(t, b)
	return (max(la, lb) + .05) / (min(la, lb) + .05)
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	if len(colour) == 4 {
		colour = "#" + strings.Repeat(colour[1:2], 2) + strings.Repeat(colour[2:3], 2) + strings.Repeat(colour[3:4], 2)
	}
	var rgb [3]int
	if _, err := fmt.Sscanf(colour, "#%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]); err != nil {
		t.Fatalf("colour %q: %v", colour, err)
	}
	sum := 0.0
	for i, weight := range []float64{.2126, .7152, .0722} {
		v := float64(rgb[i]) / 255
		if v <= .04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}
