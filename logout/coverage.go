package logout

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// Coverage says what a logout can do about a client: whether and how it can be notified, and how long it keeps
// trusting if it is not.
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

// AssessCoverage returns the coverage of a client, by its metadata alone. It does not try whether its endpoints answer.
func AssessCoverage(c *storage.Client, l Lifetimes) Coverage {
	coverage := Coverage{
		Client:         c.ClientID,
		Name:           displayName(c.ClientID, c),
		CanJoinSession: c.CanJoinSession(),
		Channels:       logoutChannels(c),
		CanConfirm:     c.BackchannelLogoutURI != "" && !c.HasUntrustedConfirmations(),
		Tokens:         declaredTokenBound(c, l),
		ClientSession:  declaredClientSessionBound(c, l),
		OfflineAccess:  c.MayHoldOfflineAccess(),
	}
	cannotNotify := coverage.CanJoinSession && len(coverage.Channels) == 0
	frontChannelOnly := coverage.CanJoinSession && len(coverage.Channels) == 1 && coverage.Channels[0] == FrontChannel
	problem := func(when bool, text string) {
		if when {
			coverage.Problems = append(coverage.Problems, text)
		}
	}
	problem(cannotNotify && coverage.ClientSession.Unknown,
		"it has no logout URI and declares no bound: its session outlives every logout")
	problem(frontChannelOnly,
		"it is notified through the browser only, which proves nothing and reaches no other device")
	problem(c.HasUntrustedConfirmations() && coverage.ClientSession.Unknown,
		"its confirmations are untrusted and it declares no bound: a logout never knows whether its session is over")
	problem(
		isPlainHTTP(c.BackchannelLogoutURI),
		"backchannel_logout_uri is http: the logout token crosses the network in the clear",
	)
	problem(isPlainHTTP(c.FrontchannelLogoutURI), "frontchannel_logout_uri is http: browsers block it as mixed content")
	problem(
		c.LogoutTokenClaims == "sub" && c.BackchannelLogoutURI != "",
		"logout_token_claims is sub: the end of one session ends all of that user's sessions there",
	)
	problem(
		c.LogoutTokenClaims == "sub" && c.BackchannelSessionReq,
		"it requires sid in logout tokens, and logout_token_claims leaves it out",
	)
	problem(
		coverage.OfflineAccess && c.SessionWithTokens,
		"session_with_tokens bounds nothing while offline access is possible: set refresh_tokens to session",
	)
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
