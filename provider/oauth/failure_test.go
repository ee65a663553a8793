package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/oauth"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// failingStore is a store whose file is gone: everything but the clients in memory fails.
type failingStore struct {
	oauth.Store
	err error
}

func (b failingStore) User(context.Context, string) (storage.User, error) {
	return storage.User{}, b.err
}

func (b failingStore) Redeem(
	context.Context,
	storage.Code,
	time.Time,
	func(storage.Session, storage.ClientSession) (storage.Issuance, error),
) (storage.RedeemResult, error) {
	return storage.RedeemResult{}, b.err
}

func (b failingStore) Refresh(
	context.Context,
	storage.RefreshRequest,
	time.Time,
	func(storage.Grant, *storage.Session) (storage.Issuance, error),
) (storage.RefreshResult, error) {
	return storage.RefreshResult{}, b.err
}
func (b failingStore) GrantByRefresh(context.Context, storage.Hash, time.Time) (storage.Grant, bool, error) {
	return storage.Grant{}, false, b.err
}
func (b failingStore) ActiveGrant(context.Context, string, string, time.Time) (storage.Grant, error) {
	return storage.Grant{}, b.err
}
func (b failingStore) Sequence(context.Context) (storage.Sequence, error) { return 0, b.err }
func (b failingStore) ClientCredentialsTokenActive(context.Context, string, storage.Sequence) error {
	return b.err
}
func (b failingStore) PutToken(context.Context, storage.Token) error { return b.err }
func (b failingStore) Token(context.Context, storage.Hash, time.Time) (storage.Token, storage.Grant, error) {
	return storage.Token{}, storage.Grant{}, b.err
}
func (b failingStore) MarkUsed(context.Context, string, time.Time, time.Time, time.Time) error {
	return b.err
}

func (b failingStore) WasUsed(context.Context, string, time.Time, time.Time, time.Time) (bool, error) {
	return false, b.err
}

// A store that fails never yields a token, an inactive, a revoked or a user's claims.
func TestStoreFailureIsNeverASuccess(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{fmt.Errorf("commit: %w", storage.ErrUnavailable), 503},
		{fmt.Errorf("commit: %w", storage.ErrFull), 503},
		{errors.New("disk /var/lib/curfew burnt"), 500},
	} {
		for _, format := range []string{"opaque", "jwt"} {
			g := newRig(t)
			s := mustSigner(t, "k1")
			g.mustKeyClient("keyed", s)
			g.mustClient("shop", func(c *storage.Client) { c.AccessTokenFormat = format })
			_, a := g.mustTokens("shop", "openid")
			code := g.mustCode(g.mustSession("alice"), "shop", "openid", nil)
			g.server.Store = failingStore{g.store, c.err}
			for name, got := range map[string]response{
				"code":        g.redeem("shop", code),
				"refresh":     g.refresh("shop", a.text("refresh_token")),
				"client":      g.postAs("shop", g.http.Token, "grant_type", "client_credentials"),
				"introspect":  g.postAs("shop", g.http.Introspect, "token", a.text("access_token")),
				"introspect2": g.postAs("shop", g.http.Introspect, "token", a.text("refresh_token")),
				"revoke":      g.postAs("shop", g.http.Revoke, "token", a.text("access_token")),
				"revoke2":     g.postAs("shop", g.http.Revoke, "token", a.text("refresh_token")),
				"userinfo":    g.userInfo(a.text("access_token")),
				"assertion":   g.withAssertion(s.sign(t, g.claimsFor("keyed"))),
			} {
				if (got.header.Get("Retry-After") != "") != (c.status == 503) {
					t.Errorf("%s: Retry-After %q with %d", name, got.header.Get("Retry-After"), got.status)
				}
				if got.status != c.status || got.text("error") != "server_error" ||
					strings.Contains(got.body, "burnt") ||
					strings.Contains(got.body, "commit") {
					t.Errorf("%s (%s), %v: %d %s", name, format, c.err, got.status, got.body)
				}
			}
			// Nothing is half done: all of it works once the store is back.
			g.server.Store = g.store
			if got := g.redeem("shop", code); got.status != http.StatusOK {
				t.Errorf("code afterwards: %d %s", got.status, got.body)
			}
			if got := g.refresh("shop", a.text("refresh_token")); got.status != http.StatusOK {
				t.Errorf("refresh afterwards: %d %s", got.status, got.body)
			}
		}
	}
}

// A signature that cannot be made leaves a grant that no client received, and no success.
func TestTokenThatCannotBeSignedIsNoSuccess(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", func(c *storage.Client) { c.IDTokenSignedResponseAlg = "PS256" }) // not in the ring
	code := g.mustCode(g.mustSession("alice"), "shop", "openid", nil)
	g.mustRefuseServer(g.redeem("shop", code))
	g.mustRefuse(g.redeem("shop", code), 400, "invalid_grant")
}

func (g *rig) mustRefuseServer(a response) {
	g.t.Helper()
	g.mustRefuse(a, 500, "server_error")
	if a.text("error_description") != "" {
		g.t.Errorf("the answer reveals internals: %s", a.body)
	}
}

// panickingStore panics where a client is looked up.
type panickingStore struct{ oauth.Store }

func (panickingStore) Client(context.Context, string) (*storage.Client, error) {
	panic("secret inside")
}

func TestPanicIsAServerErrorWithoutAWord(t *testing.T) {
	g := newRig(t)
	g.server.Store = panickingStore{g.store}
	g.mustRefuseServer(g.postAs("shop", g.http.Token, "grant_type", "client_credentials"))
}

func TestOversizedClaimsAreRefusedBeforeACodeIsGiven(t *testing.T) {
	g := newRig(t)
	_, err := g.server.Minter.SealCode(
		g.server.Minter.NewCode(tokens.Code{Client: "shop", Claims: []byte(strings.Repeat(" ", 2000))}, g.clock.Now()),
	)
	if !errors.Is(err, tokens.ErrCodeTooLong) {
		t.Errorf("got %v", err)
	}
}
