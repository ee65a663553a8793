// Package policy declares the operator's settings about sessions, tokens, logout and registration: one struct for each
// group, passed as a value to the packages that follow it. It makes no decisions itself.
//
// Each setting is declared once, by its field. The comment is its documentation: docs/configuration.md is generated
// from it. The tag says
//
//	yaml     the key below the key of the group
//	default  the value if the operator gives none
//	oneof    the allowed values
//	min, max the limits of a duration; max may name another setting. Without min a duration is longer than 0.
//
// The zero value of a struct is usable in tests; package config fills in the defaults.
package policy
