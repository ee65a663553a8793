package tokens

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

const issuer = "https://op.example.com"

var now = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// rig is a minter on a real store, with alice signed in.
type rig struct {
	*Minter
	t       *testing.T
	store   *bolt.Store
	session storage.Session
}

func newRig(t *testing.T, algorithms ...string) *rig {
	t.Helper()
	folder := t.TempDir()
	store, err := bolt.Open(bolt.Options{Path: filepath.Join(folder, "curfew.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	ring, err := keys.Load(t.Context(), keys.Config{Store: store, File: filepath.Join(folder, "key"), Issuer: issuer, Algorithms: append(algorithms, keys.ES256),
		Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{t: t, store: store, Minter: &Minter{Issuer: issuer, Ring: ring, Lifetimes: Lifetimes{Code: time.Minute, Opaque: time.Hour, JWT: 10 * time.Minute, IDToken: 5 * time.Minute}}}
	g.session = storage.Session{ID: storage.SessionID(keys.Random("")), SecretHash: storage.HashOf("cookie"), Subject: "alice", AuthTime: now, AMR: []string{"pwd"}, ACR: "1", Created: now,
		LastActive: now, IdleTimeout: 8 * time.Hour, Expires: now.Add(24 * time.Hour)}
	err = store.PutUser(t.Context(), storage.User{Subject: "alice", Name: "alice", Claims: map[string]any{"name": "Alice"}, Created: now, Updated: now})
	if err == nil {
		err = store.CreateSession(t.Context(), g.session, storage.Event{At: now, Kind: "session.created"})
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *rig) mustClient(edit func(*storage.Client)) *storage.Client {
	g.t.Helper()
	c := storage.Client{Metadata: storage.Metadata{ClientID: "shop", IDTokenSignedResponseAlg: keys.ES256}, Created: now}
	if edit != nil {
		edit(&c)
	}
	if err := g.store.PutClient(context.Background(), c); err != nil {
		g.t.Fatal(err)
	}
	return &c
}

func (g *rig) newCode(scope string) Code {
	return g.NewCode(Code{Client: "shop", RedirectURIHash: storage.HashOf("https://rp.example.com/cb"), Nonce: "n", Scope: strings.Fields(scope), Session: g.session.ID, Subject: "alice"}, now)
}

// mustExchange redeems a new code.
func (g *rig) mustExchange(c *storage.Client, scope string) (Response, storage.RedeemResult) {
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
func (g *rig) mustAuthorizationTokens(c *storage.Client, code Code, responseType, codeText string) (Response, storage.RedeemResult) {
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
