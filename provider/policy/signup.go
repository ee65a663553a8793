package policy

import (
	"slices"
	"strings"
)

// The values of SignUp.Mode.
const (
	SignUpOff        = "off"
	SignUpInvitation = "invitation"
	SignUpOpen       = "open"
)

// SignUp says who may make an account. It needs mail.
type SignUp struct {
	// `off`: only operators add users. `invitation`: operators also invite e-mail addresses (`curfew user invite
	// --email`), whose owners make their accounts. `open`: everyone with an address makes an account. The address is
	// the login name, and a mailed link verifies it.
	Mode string `yaml:"mode" default:"off" oneof:"off invitation open"`
	// With `open`: the domains of addresses that may sign up. Without any, all may.
	Domains []string `yaml:"domains"`
}

// Admits reports whether everyone with that address may make an account.
func (s SignUp) Admits(address string) bool {
	if s.Mode != SignUpOpen {
		return false
	}
	domain := address[strings.LastIndexByte(address, '@')+1:]
	isDomain := func(allowed string) bool { return strings.EqualFold(allowed, domain) }
	return len(s.Domains) == 0 || slices.ContainsFunc(s.Domains, isDomain)
}
