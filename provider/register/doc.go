// Package register validates client metadata and serves dynamic client registration (RFC 7591, OpenID Connect Dynamic
// Client Registration 1.0) and its management (RFC 7592). The admin API and the demo use the same validation.
//
//	metadata ──▶ Decode ──▶ Validate ──▶ Registrar ──▶ storage.Client
//
// A registration gets all problems at once, each with its RFC 7591 error code and with advice. Of the URIs in metadata,
// the package fetches only sector_identifier_uri, because Registration §5 requires that. The removal of a client ends
// sessions, so it goes through package logout.
package register
