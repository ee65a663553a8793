package logout

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// Coverage says how a logout reaches a client: through which channels the client is notified, and how long its tokens
// and its own session stay trusted if no notification arrives.
type Coverage struct {
	Client         string        `json:"client"`
	Name           string        `json:"name"`
	CanJoinSession bool          `json:"can_join_session"`   // users can sign in to it
	Channels       []string      `json:"channels,omitempty"` // backchannel, frontchannel
	CanConfirm     bool          `json:"can_confirm"`        // its answer to a logout token confirms the logout
	Tokens         DeclaredBound `json:"tokens"`             // how long resource servers may accept its access tokens
	ClientSession  DeclaredBound `json:"client_session"`     // how long its own session may last
	OfflineAccess  bool          `json:"offline_access"`     // it may have offline access, which survives a logout
	Problems       []string      `json:"problems,omitempty"`
}

// AssessCoverage returns the coverage of a client, by its metadata alone. It does not test the client's endpoints.
func AssessCoverage(c *storage.Client, l Lifetimes) Coverage {
	coverage := Coverage{
		Client:         c.ClientID,
		Name:           clientName(c),
		CanJoinSession: c.CanJoinSession(),
		Channels:       logoutChannels(c),
		CanConfirm:     c.BackchannelLogoutURI != "" && !c.HasUntrustedConfirmations(),
		Tokens:         declaredTokenBound(c, l),
		ClientSession:  declaredClientSessionBound(c, l),
		OfflineAccess:  c.MayHoldOfflineAccess(),
	}
	coverage.Problems = coverageProblems(c, coverage)
	return coverage
}

// coverageProblems lists what the operator should change in a client's metadata.
func coverageProblems(c *storage.Client, coverage Coverage) []string {
	hasNoChannel := coverage.CanJoinSession && len(coverage.Channels) == 0
	frontChannelOnly := coverage.CanJoinSession && slices.Equal(coverage.Channels, []string{FrontChannel})
	subOnly := c.LogoutTokenClaims == "sub"
	endsWithItsToken := c.SessionWithTokens // the client declares so
	const unboundedUntrusted = "its confirmations are untrusted and it declares no bound: " +
		"a logout never knows whether its session is over"
	checks := []struct {
		hasProblem bool
		problem    string
	}{
		{
			hasNoChannel && coverage.ClientSession.Unknown,
			"it has no logout URI and declares no bound: its session outlives every logout",
		},
		{
			frontChannelOnly,
			"it is notified through the browser only, which proves nothing and reaches no other device",
		},
		{
			c.HasUntrustedConfirmations() && coverage.ClientSession.Unknown,
			unboundedUntrusted,
		},
		{
			isPlainHTTP(c.BackchannelLogoutURI),
			"backchannel_logout_uri is http: the logout token crosses the network in the clear",
		},
		{
			isPlainHTTP(c.FrontchannelLogoutURI),
			"frontchannel_logout_uri is http: browsers block it as mixed content",
		},
		{
			subOnly && c.BackchannelLogoutURI != "",
			"logout_token_claims is sub: the end of one session ends all of that user's sessions there",
		},
		{
			subOnly && c.BackchannelSessionReq,
			"it requires sid in logout tokens, and logout_token_claims leaves it out",
		},
		{
			coverage.OfflineAccess && endsWithItsToken,
			"session_with_tokens bounds nothing while offline access is possible: set refresh_tokens to session",
		},
	}
	var problems []string
	for _, check := range checks {
		if check.hasProblem {
			problems = append(problems, check.problem)
		}
	}
	return problems
}

// isPlainHTTP reports whether a URI is http and does not point to the local machine.
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
