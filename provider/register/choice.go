package register

import (
	"github.com/curfew-id/curfew/storage"
)

// year bounds the seconds that a client may declare; more is no bound at all.
const year = 365 * 24 * 60 * 60

// choices checks Curfew's own members.
func (c *check) choices(m *storage.Metadata) {
	c.oneOf("access_token_format", m.AccessTokenFormat, "opaque", "jwt")
	c.list("audience", m.Audience)
	c.oneOf("consent", m.Consent, "ask", "skip")
	c.oneOf("logout_token_typ", m.LogoutTokenTyp, "logout+jwt", "JWT", "none")
	c.oneOf("logout_token_claims", m.LogoutTokenClaims, "both", "sid", "sub")
	if m.LogoutTokenClaims == "sub" && m.BackchannelSessionReq {
		// Back-Channel Logout 1.0 §2.2: who requires sid gets it.
		c.refuse("logout_token_claims", "sub leaves out the sid that backchannel_logout_session_required demands; drop one of them")
	}
	c.oneOf("backend_logout", m.BackendLogout, "none", "session")
	c.oneOf("logout_scope", m.LogoutScope, "application", "browser", "everywhere")
	c.oneOf("refresh_tokens", m.RefreshTokens, "session", "offline")
	c.seconds("session_expiry", m.SessionExpiry, year)
	c.seconds("introspection_cache", m.IntrospectionCache, year)
	if m.ClockSkew != nil {
		c.seconds("clock_skew", *m.ClockSkew, 60*60)
	}
}

func (c *check) seconds(field string, n, most int) {
	if n < 0 || n > most {
		c.refuse(field, "%d is not a number of seconds from 0 to %d", n, most)
	}
}
