// Package register validates client metadata and serves dynamic client registration (RFC 7591, OpenID Connect Dynamic
// Client Registration 1.0) and its management (RFC 7592). The admin API and the demo use the same validation.
//
//	metadata ──▶ Decode ──▶ Validate ──▶ Registrar ──▶ storage.Client
//
// The package reports all problems of a registration together, each with its RFC 7591 error code and with advice. It
// fetches no URI in metadata but sector_identifier_uri, which Registration §5 requires. The removal of a client ends
// sessions, so it goes through package logout.
package register
