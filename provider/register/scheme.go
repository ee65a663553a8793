package register

import (
	"slices"
	"strings"
)

// browserSchemes are schemes that browsers and operating systems give a meaning. None of them belongs to an app.
func browserSchemes() []string {
	return []string{
		"about", "blob", "chrome", "data", "file", "filesystem", "ftp", "http", "https", "intent", "javascript",
		"mailto", "sms", "tel", "urn", "vbscript", "view-source", "ws", "wss",
	}
}

// checkSchemes checks the private-use schemes without a dot that an operator allows for one client. Any app on the
// device can take such a scheme (RFC 8252 §7.1, §8.4), so it is an operator's choice.
func (c *validation) checkSchemes(schemes []string) {
	c.checkList("allow_schemes", schemes)
	const letters, others = "abcdefghijklmnopqrstuvwxyz", "0123456789+-"
	for i, scheme := range schemes {
		wellFormed := scheme != "" && strings.Trim(scheme, letters+others) == "" && strings.Contains(letters, scheme[:1])
		if !wellFormed || slices.Contains(browserSchemes(), scheme) {
			c.addProblem(indexed("allow_schemes", i), "%+q is no scheme of an app; write it as in cursor://callback: cursor",
				scheme)
		}
	}
}
