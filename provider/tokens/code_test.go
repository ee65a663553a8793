package tokens_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

func TestCodeCarriesTheRequest(t *testing.T) {
	g := newRig(t)
	request, err := tokens.ParseClaimsRequest(`{"userinfo":{"name":{"essential":true}}}`)
	if err != nil {
		t.Fatal(err)
	}
	full := g.NewCode(
		tokens.Code{
			Client:          keys.Random(),
			RedirectURIHash: storage.HashOf("https://rp.example.com/cb"),
			CodeChallenge:   keys.Random(),
			Nonce:           "äöü " + strings.Repeat("n", 43),
			Scope: []string{
				"openid",
				"profile",
				"email",
				"address",
				"phone",
				"offline_access",
			},
			Claims:  request.Raw(),
			Session: g.session.ID,
			Subject: keys.Random(),
		},
		now,
	)
	bare := g.NewCode(tokens.Code{Client: "c", RedirectURIHash: storage.HashOf("x"), Session: "s", Subject: "u"}, now)
	for _, want := range []tokens.Code{full, bare} {
		text, err := g.SealCode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := g.OpenCode(text)
		if err != nil {
			t.Fatal(err)
		}
		if len(want.Scope) == 0 {
			got.Scope = want.Scope
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if len(text) > tokens.MaxCodeLength {
			t.Errorf("%d characters", len(text))
		}
	}
}

func TestCodeOfAnyOtherTextIsRefused(t *testing.T) {
	g := newRig(t)
	text, err := g.SealCode(g.newCode("openid"))
	if err != nil {
		t.Fatal(err)
	}
	otherKind, err := g.Ring.Seal("interaction-login", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	empty, err := g.Ring.Seal(tokens.KindCode, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{
		"",
		"x",
		text[1:],
		text[:len(text)-4],
		text + text,
		strings.Repeat("A", tokens.MaxCodeLength+1),
		otherKind,
		empty,
	} {
		if _, err := g.OpenCode(other); !errors.Is(err, tokens.ErrInvalidCode) {
			t.Errorf("%.40q: %v", other, err)
		}
	}
}

func TestTooMuchForACodeIsRefused(t *testing.T) {
	g := newRig(t)
	code := g.newCode("openid")
	code.Nonce = strings.Repeat("n", 900)
	if _, err := g.SealCode(code); !errors.Is(err, tokens.ErrCodeTooLong) {
		t.Errorf("got %v", err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(tokens.Pack("a", "", keys.Random()))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		var x, y, z string
		if !tokens.Unpack(b, &x, &y, &z) {
			return
		}
		// What unpack reads, pack can write and unpack reads again.
		var x2, y2, z2 string
		if again := tokens.Pack(x, y, z); !tokens.Unpack(again, &x2, &y2, &z2) || x != x2 || y != y2 || z != z2 {
			t.Errorf("%x: %q %q %q, then %q %q %q", b, x, y, z, x2, y2, z2)
		}
	})
}

func TestPackKeepsEverySpelling(t *testing.T) {
	// Of the last two, one is how base64url writes its 32 bytes, the other only decodes to the same.
	for _, text := range []string{
		"",
		"x",
		keys.Random(),
		strings.Repeat("=", 43),
		strings.Repeat("A", 43),
		strings.Repeat("A", 42) + "B",
	} {
		var got string
		if !tokens.Unpack(tokens.Pack(text), &got) || got != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
}
