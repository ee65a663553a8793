package authn

// acrPassword is the authentication context class of a password alone. There is no other class.
const acrPassword = "1"

// amrPassword is the method reference of a password (RFC 8176 §2).
const amrPassword = "pwd"

// ACRValues returns the authentication context classes that a client can ask for (Core §2, acr), weakest first.
func ACRValues() []string { return []string{acrPassword} }
