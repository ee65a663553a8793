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
	ErrTooShort = fmt.Errorf("password shorter than %d characters", MinCharacters)
	ErrCommon   = errors.New("password chosen by too many people")
	ErrContext  = errors.New("password is little more than a name that goes with the account")
)

// common is the list of passwords that everybody tries first, one a line, in lower case.
//
//go:embed common.txt
var common string

// shortestWord is the length below which a name is no help to a guesser.
const shortestWord = 4

// Rules refuses weak new passwords. There are no rules about kinds of characters: they make passwords worse.
type Rules struct {
	Words []string // names everybody knows: the product, the issuer's host
}

// Check tells why password should not be chosen: ErrTooShort, ErrTooLong, ErrCommon or ErrContext. words are names that
// go with the account, such as login name and e-mail address; they and their parts do not count towards the length.
func (r Rules) Check(password string, words ...string) error {
	if utf8.RuneCountInString(password) < MinCharacters {
		return ErrTooShort
	}
	if len(password) > MaxBytes {
		return ErrTooLong
	}
	lower := strings.ToLower(password)
	if strings.Contains(common, "\n"+lower+"\n") {
		return ErrCommon
	}
	for _, word := range parts(slices.Concat(r.Words, words)) {
		lower = strings.ReplaceAll(lower, word, "")
	}
	if utf8.RuneCountInString(lower) < MinCharacters {
		return ErrContext
	}
	return nil
}

// parts are words and what they are joined from, in lower case, the longest first.
func parts(words []string) []string {
	var all []string
	for _, word := range words {
		word = strings.ToLower(word)
		all = append(all, word)
		all = append(all, strings.FieldsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })...)
	}
	all = slices.DeleteFunc(all, func(word string) bool { return utf8.RuneCountInString(word) < shortestWord })
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}
