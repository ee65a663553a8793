// Package policy owns what an operator decides about sessions, tokens, logout and registration: one struct for each
// group of settings, passed whole to the packages that obey it. It holds values only and decides nothing.
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
