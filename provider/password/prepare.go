package password

import "golang.org/x/text/secure/precis"

// prepare returns the form of a password that is hashed: OpaqueString (RFC 8265 §4.2). Keyboards compose the same
// character in different ways; in this form all of them give the same password. Upper and lower case stay. A password
// that the profile does not allow, for example with a control character, is returned unchanged.
func prepare(password string) string {
	prepared, err := precis.OpaqueString.String(password)
	if err != nil {
		return password
	}
	return prepared
}
