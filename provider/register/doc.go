// Package register owns what a relying party may be: the one validator of client metadata, which administration,
// dynamic registration and the demo share, and the endpoints of dynamic registration (RFC 7591, OpenID Connect Dynamic
// Client Registration 1.0) and its management (RFC 7592).
//
//	metadata ──▶ Decode ──▶ Validate ──▶ Registrar ──▶ storage.Client
//
// All problems are reported together, each with its RFC 7591 error code and with what to do about it. The package
// fetches nothing that metadata names but sector_identifier_uri, because Registration §5 demands that one to be read.
// Removal ends sessions, so it goes through package logout.
package register
