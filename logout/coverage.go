package logout

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// Coverage is what a logout can do about a client: whether it can be told, how, and what would remain for how long if it hears nothing.
type Coverage struct {
	Client   string   `json:"client"`
	Name     string   `json:"name"`
	Joins    bool     `json:"joins"`              // it can hold a session at all
	Channels []string `json:"channels,omitempty"` // backchannel, frontchannel
	Confirms bool     `json:"confirms"`           // it can answer
	Tokens   Remain   `json:"tokens"`
	Apps     Remain   `json:"apps"`
	Offline  bool     `json:"offline"` // it may hold offline access, which a logout leaves
	Problems []string `json:"problems,omitempty"`
}

// Cover is the coverage of a client in a deployment with these lifetimes. It asks nobody; whether an endpoint can be reached is
// another question.
func Cover(c *storage.Client, l Lifetimes) Coverage {
	cov := Coverage{
		Client: c.ClientID, Name: nameOf(c.ClientID, c), Joins: joins(c), Channels: channels(c), Confirms: c.BackchannelLogoutURI != "",
		Tokens: remainTokens(c, l), Apps: remainApplication(c, l), Offline: MayHoldOffline(c),
	}
	problem := func(when bool, text string) {
		if when {
			cov.Problems = append(cov.Problems, text)
		}
	}
	problem(cov.Joins && len(cov.Channels) == 0 && cov.Apps.Unknown, "it cannot be told and declares no bound: its session outlives every logout")
	problem(cov.Joins && len(cov.Channels) == 1 && cov.Channels[0] == FrontChannel, "it is told through the browser only, which proves nothing and reaches no other device")
	problem(plainHTTP(c.BackchannelLogoutURI), "backchannel_logout_uri is http: the logout token crosses the network in the clear")
	problem(plainHTTP(c.FrontchannelLogoutURI), "frontchannel_logout_uri is http: browsers block it as mixed content")
	problem(c.LogoutTokenClaims == "sub" && c.BackchannelLogoutURI != "", "logout_token_claims is sub: the end of one session ends all of that user's sessions there")
	problem(c.LogoutTokenClaims == "sub" && c.BackchannelSessionReq, "it requires sid in logout tokens, and logout_token_claims leaves it out")
	problem(cov.Offline && c.SessionWithTokens, "session_with_tokens bounds nothing while offline access is possible: set refresh_tokens to session")
	return cov
}

// plainHTTP tells whether a URI is http and not on this machine.
func plainHTTP(uri string) bool {
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
