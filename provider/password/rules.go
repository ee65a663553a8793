package password

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MinCharacters is the minimum length of a new password.
const MinCharacters = 8

// The reasons for refusing a new password, besides ErrTooLong. Callers test them with errors.Is.
var (
	ErrTooShort        = fmt.Errorf("password shorter than %d characters", MinCharacters)
	ErrCommon          = errors.New("password chosen by too many people")
	ErrContextSpecific = errors.New("password is little more than a name that goes with the account")
)

// commonPasswords is the list of passwords that attackers try first, one a line, in lower case.
//
//go:embed common.txt
var commonPasswords string

// minWordLength is the minimum length of a name that Check takes out of a password, in characters.
const minWordLength = 4

// Rules refuses weak new passwords. It does not require kinds of characters: such rules lead to worse passwords.
type Rules struct {
	ContextWords []string // public names, such as the product and the issuer's host
}

// Check returns ErrTooShort, ErrTooLong, ErrCommon or ErrContextSpecific if password is too weak. words are names of
// the account, such as login name and e-mail address. These names and their parts do not count towards the length.
func (r Rules) Check(password string, words ...string) error {
	if len(password) > MaxBytes {
		return ErrTooLong
	}
	if utf8.RuneCountInString(prepare(password)) < MinCharacters {
		return ErrTooShort
	}
	remaining := strings.ToLower(prepare(password))
	if strings.Contains(commonPasswords, "\n"+remaining+"\n") {
		return ErrCommon
	}
	for _, word := range wordParts(slices.Concat(r.ContextWords, words)) {
		remaining = strings.ReplaceAll(remaining, word, "")
	}
	if utf8.RuneCountInString(remaining) < MinCharacters {
		return ErrContextSpecific
	}
	return nil
}

// wordParts returns words and their parts, split at every character that is no letter or digit. It returns them in
// lower case, the longest first, without those shorter than minWordLength.
func wordParts(words []string) []string {
	isSeparator := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	var all []string
	for _, word := range words {
		word = strings.ToLower(word)
		all = append(all, word)
		all = append(all, strings.FieldsFunc(word, isSeparator)...)
	}
	all = slices.DeleteFunc(all, func(word string) bool { return utf8.RuneCountInString(word) < minWordLength })
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}
