package oauth

// The tests stand outside the package, as the fixtures need.
const (
	AssertionType    = assertionType
	JWKSCacheControl = jwksCacheControl
)
