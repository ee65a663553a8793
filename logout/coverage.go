package logout

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// Coverage is what a logout can do about a client: whether it can be told, how, and what would remain for how long if it hears nothing.
type Coverage struct {
	Client         string        `json:"client"`
	Name           string        `json:"name"`
	CanJoinSession bool          `json:"can_join_session"`   // it can hold a session at all
	Channels       []string      `json:"channels,omitempty"` // backchannel, frontchannel
	CanConfirm     bool          `json:"can_confirm"`        // it can answer
	Tokens         DeclaredBound `json:"tokens"`
	ClientSession  DeclaredBound `json:"client_session"`
	OfflineAccess  bool          `json:"offline_access"` // it may hold offline access, which a logout leaves
	Problems       []string      `json:"problems,omitempty"`
}

// AssessCoverage is the coverage of a client in a deployment with these lifetimes. It asks nobody; whether an endpoint can be reached is
// another question.
func AssessCoverage(c *storage.Client, l Lifetimes) Coverage {
	coverage := Coverage{
		Client: c.ClientID, Name: displayName(c.ClientID, c), CanJoinSession: c.CanJoinSession(), Channels: logoutChannels(c), CanConfirm: c.BackchannelLogoutURI != "",
		Tokens: declaredTokenBound(c, l), ClientSession: declaredClientSessionBound(c, l), OfflineAccess: c.MayHoldOfflineAccess(),
	}
	problem := func(when bool, text string) {
		if when {
			coverage.Problems = append(coverage.Problems, text)
		}
	}
	problem(coverage.CanJoinSession && len(coverage.Channels) == 0 && coverage.ClientSession.Unknown, "it cannot be told and declares no bound: its session outlives every logout")
	problem(coverage.CanJoinSession && len(coverage.Channels) == 1 && coverage.Channels[0] == FrontChannel, "it is told through the browser only, which proves nothing and reaches no other device")
	problem(isPlainHTTP(c.BackchannelLogoutURI), "backchannel_logout_uri is http: the logout token crosses the network in the clear")
	problem(isPlainHTTP(c.FrontchannelLogoutURI), "frontchannel_logout_uri is http: browsers block it as mixed content")
	problem(c.LogoutTokenClaims == "sub" && c.BackchannelLogoutURI != "", "logout_token_claims is sub: the end of one session ends all of that user's sessions there")
	problem(c.LogoutTokenClaims == "sub" && c.BackchannelSessionReq, "it requires sid in logout tokens, and logout_token_claims leaves it out")
	problem(coverage.OfflineAccess && c.SessionWithTokens, "session_with_tokens bounds nothing while offline access is possible: set refresh_tokens to session")
	return coverage
}

// isPlainHTTP reports whether a URI is http and not on this machine.
func isPlainHTTP(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || !strings.EqualFold(u.Scheme, "http") {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err != nil || !addr.IsLoopback()
}
