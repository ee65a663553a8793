package tokens

// The tests stand outside the package, as the fixtures need.
const KindCode = kindCode

var (
	Pack         = pack
	Unpack       = unpack
	LeftHalfHash = leftHalfHash
)
