package tokens_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

const issuer = "https://op.example.com"

var now = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// rig is a minter on a real store, with alice signed in.
type rig struct {
	*tokens.Minter
	t       *testing.T
	store   *bolt.Store
	session storage.Session
}

func newRig(t *testing.T, algorithms ...string) *rig {
	t.Helper()
	store := providertest.MustOpenStore(t)
	ring := providertest.MustLoadKeys(
		t,
		store,
		issuer,
		func() time.Time { return now },
		append(algorithms, keys.ES256)...)
	g := &rig{
		t:     t,
		store: store,
		Minter: &tokens.Minter{
			Issuer: issuer,
			Ring:   ring,
			Lifetimes: policy.Token{
				Code:    time.Minute,
				Opaque:  time.Hour,
				JWT:     10 * time.Minute,
				IDToken: 5 * time.Minute,
			},
		},
	}
	user := storage.User{
		Subject: "alice",
		Name:    "alice",
		Claims:  map[string]any{"name": "Alice"},
		Created: now,
		Updated: now,
	}
	if err := store.PutUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	g.session = providertest.MustCreateSession(t, store, "alice", now, func(s *storage.Session) { s.ACR = "1" })
	return g
}

func (g *rig) mustClient(edit func(*storage.Client)) *storage.Client {
	g.t.Helper()
	c := storage.Client{
		Metadata: storage.Metadata{ClientID: "shop", IDTokenSignedResponseAlg: keys.ES256},
		Created:  now,
	}
	if edit != nil {
		edit(&c)
	}
	if err := g.store.PutClient(context.Background(), c); err != nil {
		g.t.Fatal(err)
	}
	return &c
}

func (g *rig) newCode(scope string) tokens.Code {
	return g.NewCode(
		tokens.Code{
			Client:          "shop",
			RedirectURIHash: storage.HashOf("https://rp.example.com/cb"),
			Nonce:           "n",
			Scope:           strings.Fields(scope),
			Session:         g.session.ID,
			Subject:         "alice",
		},
		now,
	)
}

// mustExchange redeems a new code.
func (g *rig) mustExchange(c *storage.Client, scope string) (tokens.Response, storage.RedeemResult) {
	g.t.Helper()
	code := g.newCode(scope)
	x := g.NewExchange(c, code, now)
	r, err := g.store.Redeem(context.Background(), code.Record(), now, x.Issue)
	if err != nil {
		g.t.Fatal(err)
	}
	a, err := x.Respond(r, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return a, r
}

// mustAuthorizationTokens makes an authorization response of that type.
func (g *rig) mustAuthorizationTokens(
	c *storage.Client,
	code tokens.Code,
	responseType, codeText string,
) (tokens.Response, storage.RedeemResult) {
	g.t.Helper()
	f := g.NewAuthorizationTokens(c, code, strings.Fields(responseType), now)
	r, err := g.store.Join(context.Background(), code.Record(), now, f.Issue)
	if err != nil {
		g.t.Fatal(err)
	}
	var user *storage.User
	if f.NeedsUser() {
		u, err := g.store.User(context.Background(), "alice")
		if err != nil {
			g.t.Fatal(err)
		}
		user = &u
	}
	a, err := f.Respond(r, codeText, user)
	if err != nil {
		g.t.Fatal(err)
	}
	return a, r
}

// mustRead reads header and payload of a JWT.
func (g *rig) mustRead(token string) (header, claims map[string]any) {
	g.t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		g.t.Fatalf("%q is no JWT", token)
	}
	for i, to := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, to) != nil {
			g.t.Fatalf("%q is no JWT", token)
		}
	}
	return header, claims
}
