package password

import "golang.org/x/text/secure/precis"

// prepare returns the form in which a password is hashed: OpaqueString (RFC 8265 §4.2), so that keyboards that
// compose the same characters in different ways give the same password. Case stays. A password that the profile does
// not allow, for example with a control character, is hashed as it was sent.
func prepare(password string) string {
	prepared, err := precis.OpaqueString.String(password)
	if err != nil {
		return password
	}
	return prepared
}
