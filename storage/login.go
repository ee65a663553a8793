package storage

import (
	"strings"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

// LoginNameKey returns the form in which login names are compared: UsernameCaseMapped (RFC 8265 §3.3). All ways to
// type a name thus find the same user. A name that the profile does not allow, for example one with a space, is
// compared in NFC and lower case.
func LoginNameKey(name string) string {
	if key, err := precis.UsernameCaseMapped.String(name); err == nil {
		return key
	}
	return EmailKey(name)
}

// EmailKey returns the form in which e-mail addresses are compared: NFC and lower case.
func EmailKey(email string) string { return strings.ToLower(norm.NFC.String(email)) }
