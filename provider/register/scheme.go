package register

import (
	"regexp"
	"slices"
)

// browserSchemes returns the schemes that browsers or operating systems handle themselves. An app cannot have them.
func browserSchemes() []string {
	return []string{
		"about", "blob", "chrome", "data", "file", "filesystem", "ftp", "http", "https", "intent", "javascript",
		"mailto", "sms", "tel", "urn", "vbscript", "view-source", "ws", "wss",
	}
}

// schemePattern matches a scheme without a dot, in lower case (RFC 3986 §3.1).
var schemePattern = regexp.MustCompile(`^[a-z][a-z0-9+-]*$`)

// checkSchemes checks the private-use schemes without a dot that an operator allows for one client. Any app on the
// device can take such a scheme (RFC 8252 §7.1, §8.4), so it is an operator's choice.
func (c *validation) checkSchemes(schemes []string) {
	c.checkList("allow_schemes", schemes)
	for i, scheme := range schemes {
		if !schemePattern.MatchString(scheme) || slices.Contains(browserSchemes(), scheme) {
			c.addProblem(
				indexed("allow_schemes", i),
				"%+q is no scheme of an app; write it as in cursor://callback: cursor",
				scheme,
			)
		}
	}
}
