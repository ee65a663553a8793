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

// MinCharacters is the least length of a new password.
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

// minWordLength is the length below which a name is no help to a guesser.
const minWordLength = 4

// Rules refuses weak new passwords. There are no rules about kinds of characters: they make passwords worse.
type Rules struct {
	ContextWords []string // names that are public: the product, the issuer's host
}

// Check returns why password must not be chosen: ErrTooShort, ErrTooLong, ErrCommon or ErrContext. words are names that
// go with the account, such as login name and e-mail address; they and their parts do not count towards the length.
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

// wordParts are words and what they are joined from, in lower case, the longest first.
func wordParts(words []string) []string {
	var all []string
	for _, word := range words {
		word = strings.ToLower(word)
		all = append(all, word)
		all = append(
			all,
			strings.FieldsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })...)
	}
	all = slices.DeleteFunc(all, func(word string) bool { return utf8.RuneCountInString(word) < minWordLength })
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}
