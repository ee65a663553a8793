package password

import "golang.org/x/text/secure/precis"

// prepare returns the form of a password that is hashed: OpaqueString (RFC 8265 §4.2). Keyboards compose the same
// character in different ways, and in this form all of them give the same password. Case is significant. If the profile
// does not allow the password, for example because of a control character, prepare returns it unchanged.
func prepare(password string) string {
	prepared, err := precis.OpaqueString.String(password)
	if err != nil {
		return password
	}
	return prepared
}
