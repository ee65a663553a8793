package password

import (
	"errors"
	"strings"
	"testing"
)

func TestNewPasswordRules(t *testing.T) {
	r := Rules{ContextWords: []string{"Curfew", "login.example.com"}}
	account := Account{Names: []string{"anna.smith", "anna.smith@mail.example.org"}, HasSecondFactor: true}
	tests := []struct {
		password string
		want     error
	}{
		{"seven77", ErrTooShort},
		{"äöüäöüä", ErrTooShort},
		{"äöüäöüäß", nil},
		{"eight88x", nil},
		{"        ", nil}, // no rules about kinds of characters
		{strings.Repeat("x", 64), nil},
		{strings.Repeat("x", MaxBytes), nil},
		{strings.Repeat("x", MaxBytes+1), ErrTooLong},
		{"password", ErrCommon},
		{"PassWord", ErrCommon},
		{"12345678", ErrCommon},
		{"qwertyuiop", ErrCommon},
		{"curfew123", ErrContextSpecific},
		{"CURFEW-2026", ErrContextSpecific},
		{"annasmith1", ErrContextSpecific},
		{"Anna.Smith!", ErrContextSpecific},
		{"anna.smith@mail.example.org", ErrContextSpecific},
		{"login.example.com1", ErrContextSpecific},
		{"anna rides nine horses", nil},
		{"curfew at eight tonight", nil},
	}
	for _, tt := range tests {
		if err := r.Check(tt.password, account); !errors.Is(err, tt.want) {
			t.Errorf("%.40q: got %v, want %v", tt.password, err, tt.want)
		}
	}
}

func TestListOfCommonPasswordsIsWhole(t *testing.T) {
	entries := 0
	for line := range strings.Lines(commonPasswords) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		entries++
		if len(line) < DefaultMinLengthWithSecondFactor || line != strings.ToLower(line) || line != strings.TrimSpace(line) {
			t.Errorf("entry %q can never match", line)
		}
		if err := (Rules{SecondFactorRequired: true}).Check(line, Account{}); !errors.Is(err, ErrCommon) {
			t.Errorf("%q: got %v, want ErrCommon", line, err)
		}
	}
	if entries < 3000 {
		t.Errorf("got %d entries, want at least 3000", entries)
	}
}

func TestPasswordThatStandsAloneIsLongerThanOneWithASecondFactor(t *testing.T) {
	const eight, fourteen, fifteen = "zq7 pw2x", "zq7 pw2x lm4 k", "zq7 pw2x lm4 k9"
	alone, withFactor := Account{}, Account{HasSecondFactor: true}
	longer := Rules{MinLength: 20, MinLengthWithSecondFactor: 10}
	tests := []struct {
		rules    Rules
		password string
		account  Account
		want     error
	}{
		{Rules{}, eight, withFactor, nil},
		{Rules{}, fourteen, alone, ErrTooShort},
		{Rules{}, fifteen, alone, nil},
		{Rules{SecondFactorRequired: true}, eight, alone, nil},
		{longer, fifteen, alone, ErrTooShort},
		{longer, eight, withFactor, ErrTooShort},
		{longer, fourteen, withFactor, nil},
	}
	for _, tt := range tests {
		if err := tt.rules.Check(tt.password, tt.account); !errors.Is(err, tt.want) {
			t.Errorf("%q with %+v for %+v: got %v, want %v", tt.password, tt.rules, tt.account, err, tt.want)
		}
	}
}
