package keys

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestSealedValueOpensUnderItsKindOnly(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	value := []byte(`{"client":"app"}`)
	kept := bytes.Clone(value)
	text, err := r.Seal("code", value)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(value, kept) {
		t.Error("sealing changed the caller's bytes")
	}
	if strings.Contains(text, "client") || strings.ContainsAny(text, "+/ &?#%") {
		t.Errorf("%q is readable, or needs escaping", text)
	}
	if got, err := r.Open("code", text); err != nil || !bytes.Equal(got, kept) {
		t.Errorf("got %q, %v", got, err)
	}
	if again, _ := r.Seal("code", value); again == text {
		t.Error("equal values have equal texts")
	}
	flipped := []byte(text)
	flipped[len(flipped)/2] ^= 1
	foreign, _ := mustFixture(t).mustLoad(t).Seal("code", value)
	for name, bad := range map[string][2]string{
		"another kind":       {"interaction", text},
		"a longer kind":      {"code|", text},
		"altered":            {"code", string(flipped)},
		"truncated":          {"code", text[:len(text)-2]},
		"with more":          {"code", text + "AA"},
		"empty":              {"code", ""},
		"not base64":         {"code", "!!!"},
		"another provider's": {"code", foreign},
		"a megabyte":         {"code", strings.Repeat("A", 1<<20)},
	} {
		if v, err := r.Open(bad[0], bad[1]); !errors.Is(err, ErrNotSealed) || v != nil {
			t.Errorf("%s: got %q, %v; want ErrSealed", name, v, err)
		}
	}
}

func TestWhatIsTooLargeIsNotSealed(t *testing.T) {
	r := mustFixture(t).mustLoad(t)
	if _, err := r.Seal("interaction", make([]byte, maxSealedLength)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	text, err := r.Seal("interaction", make([]byte, maxSealedLength/2))
	if err != nil || len(text) > maxSealedLength {
		t.Errorf("half of the limit: got %d characters, %v", len(text), err)
	}
	if v, err := r.Open("interaction", text); err != nil || len(v) != maxSealedLength/2 {
		t.Errorf("half of the limit: got %d, %v", len(v), err)
	}
}

func TestSuccessorIsTheSameEachTimeAndKeepsItsPrefix(t *testing.T) {
	p := mustFixture(t)
	r := p.mustLoad(t)
	token := RandomWithPrefix("crt_")
	next := r.NextRefreshToken(token)
	if next != r.NextRefreshToken(token) || next != p.mustLoad(t).NextRefreshToken(token) {
		t.Error("a second call gives another successor")
	}
	if len(next) != len(token) || !strings.HasPrefix(next, "crt_") || next == token {
		t.Errorf("got %q for %q", next, token)
	}
	if r.NextRefreshToken(next) == token || r.NextRefreshToken(next) == next {
		t.Error("successors go round in a circle")
	}
	if other := mustFixture(t).mustLoad(t).NextRefreshToken(token); other == next {
		t.Error("another provider derives the same")
	}
	for _, odd := range []string{"", "x", strings.Repeat("y", 43)} {
		if len(r.NextRefreshToken(odd)) != 43 {
			t.Errorf("%q: got %q", odd, r.NextRefreshToken(odd))
		}
	}
}

func TestPairwiseSubjectsDifferBySectorAndUser(t *testing.T) {
	r := mustFixture(t).mustLoad(t)
	seen := map[string]bool{}
	for _, pair := range [][2]string{
		{"a.example", "anna"},
		{"b.example", "anna"},
		{"a.example", "bert"},
		{"a.example1:", "anna"},
		{"a.exampl", "eanna"},
	} {
		sub := r.Pairwise(pair[0], pair[1])
		if seen[sub] || strings.Contains(sub, "anna") || len(sub) != 43 {
			t.Errorf("%v: got %q", pair, sub)
		}
		seen[sub] = true
	}
}
