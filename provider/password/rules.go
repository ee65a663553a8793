package password

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The minimum lengths of new passwords, in characters, if Rules sets no others.
const (
	DefaultMinLength                 = 15
	DefaultMinLengthWithSecondFactor = 8
)

// The reasons for refusing a new password, besides ErrTooLong. Callers test them with errors.Is.
var (
	ErrTooShort        = errors.New("password too short")
	ErrCommon          = errors.New("password chosen by too many people")
	ErrContextSpecific = errors.New("password is little more than a name that goes with the account")
	ErrBreached        = errors.New("password is in the list of breached passwords")
)

// IsWeak reports whether err is one of the reasons for refusing a new password.
func IsWeak(err error) bool {
	reasons := []error{ErrTooLong, ErrTooShort, ErrCommon, ErrContextSpecific, ErrBreached}
	return slices.ContainsFunc(reasons, func(reason error) bool { return errors.Is(err, reason) })
}

// commonPasswords is the list of passwords that attackers try first, one a line, in lower case.
//
//go:embed common.txt
var commonPasswords string

// minWordLength is the minimum length of a name that Check takes out of a password, in characters.
const minWordLength = 4

// minOwnCharacters is how many characters a password needs besides the names of the account.
const minOwnCharacters = 8

// Rules refuses weak new passwords. It does not require kinds of characters: such rules lead to worse passwords.
type Rules struct {
	ContextWords []string // public names, such as the product and the issuer's host

	// The minimum lengths in characters, without and with a second factor. 0: the default.
	MinLength                 int
	MinLengthWithSecondFactor int
	SecondFactorRequired      bool // every sign-in needs a second factor

	Breached *BreachedList // nil: passwords are not looked up
}

// Account is the account that gets a new password.
type Account struct {
	Names           []string // such as login name and e-mail address
	HasSecondFactor bool
}

// MinLengthFor returns the minimum length of a new password, in characters.
func (r Rules) MinLengthFor(hasSecondFactor bool) int {
	if hasSecondFactor || r.SecondFactorRequired {
		return cmp.Or(r.MinLengthWithSecondFactor, DefaultMinLengthWithSecondFactor)
	}
	return cmp.Or(r.MinLength, DefaultMinLength)
}

// Check returns ErrTooShort, ErrTooLong, ErrCommon, ErrContextSpecific or ErrBreached if password is too weak for the
// account, and another error if the list of breached passwords cannot be read. The account's names and their parts do
// not count as characters of its own.
func (r Rules) Check(password string, account Account) error {
	if len(password) > MaxBytes {
		return ErrTooLong
	}
	prepared := prepare(password)
	remaining := strings.ToLower(prepared)
	if strings.Contains(commonPasswords, "\n"+remaining+"\n") {
		return ErrCommon
	}
	if shortest := r.MinLengthFor(account.HasSecondFactor); utf8.RuneCountInString(prepared) < shortest {
		return fmt.Errorf("%w: it needs %d characters", ErrTooShort, shortest)
	}
	for _, word := range wordParts(slices.Concat(r.ContextWords, account.Names)) {
		remaining = strings.ReplaceAll(remaining, word, "")
	}
	if utf8.RuneCountInString(remaining) < minOwnCharacters {
		return ErrContextSpecific
	}
	return r.Breached.check(prepared)
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
