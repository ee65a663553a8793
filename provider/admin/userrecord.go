package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/storage"
)

// User is a user in the API: one JSON object with the claims of Core §5.1 and the state of the user.
type User struct {
	Subject       string         `json:"sub"`
	Name          string         `json:"preferred_username"`
	Email         string         `json:"email,omitempty"`
	EmailVerified bool           `json:"email_verified,omitempty"`
	Claims        map[string]any `json:"-"` // all other claims; MarshalJSON writes them into the same object
	Groups        []string       `json:"groups,omitempty"`
	HasPassword   bool           `json:"has_password"`
	Disabled      bool           `json:"disabled"`
	Created       time.Time      `json:"created"`
	Updated       time.Time      `json:"updated"`
}

type plainUser User // has no methods, so encoding/json encodes its fields

// MarshalJSON encodes the fields and Claims as one object.
func (u User) MarshalJSON() ([]byte, error) {
	fields, err := json.Marshal(plainUser(u))
	if err != nil || len(u.Claims) == 0 {
		return fields, err
	}
	claims, err := json.Marshal(u.Claims)
	if err != nil {
		return nil, err
	}
	fieldsWithoutEnd := fields[:len(fields)-1]
	claimsWithoutStart := claims[1:]
	return slices.Concat(fieldsWithoutEnd, []byte(","), claimsWithoutStart), nil
}

// UnmarshalJSON decodes an object that MarshalJSON has encoded.
func (u *User) UnmarshalJSON(body []byte) error {
	if err := json.Unmarshal(body, (*plainUser)(u)); err != nil {
		return err
	}
	if err := json.Unmarshal(body, &u.Claims); err != nil {
		return err
	}
	maps.DeleteFunc(u.Claims, func(name string, _ any) bool { return claimCheckers()[name] == nil })
	return nil
}

func toUser(u storage.User) User {
	return User{
		Subject:       u.Subject,
		Name:          u.Name,
		Email:         u.Email,
		EmailVerified: u.EmailVerified,
		Claims:        u.Claims,
		Groups:        u.Groups,
		HasPassword:   u.Password != "",
		Disabled:      u.Disabled,
		Created:       u.Created,
		Updated:       u.Updated,
	}
}

// applyMembers checks the members of a request and sets them in u. A null removes a claim. The error has all problems.
func applyMembers(u *storage.User, members map[string]json.RawMessage) error {
	var problems register.Problems
	u.Claims = maps.Clone(u.Claims) // the caller may use the same map elsewhere
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if err := applyMember(u, name, members[name]); err != nil {
			problems = append(problems, register.Problem{Code: "invalid", Field: name, Text: err.Error()})
		}
	}
	if err := checkLoginName(u); err != nil {
		problems = append(problems, register.Problem{Code: "invalid", Field: "preferred_username", Text: err.Error()})
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

func applyMember(u *storage.User, name string, value json.RawMessage) error {
	switch name {
	case "preferred_username":
		return decodeValue(value, &u.Name, "a string")
	case "email":
		u.Email = ""
		if err := decodeValue(value, &u.Email, "a string"); err != nil || u.Email == "" {
			return err
		}
		if !storage.IsEmail(u.Email) {
			return fmt.Errorf("%q is not an e-mail address", u.Email)
		}
		return nil
	case "email_verified":
		u.EmailVerified = false
		return decodeValue(value, &u.EmailVerified, "true or false")
	case "groups":
		return applyGroups(u, value)
	case "sub", "has_password", "disabled", "created", "updated", "updated_at":
		return fmt.Errorf("is Curfew's own; leave it out")
	}
	return applyClaim(u, name, value)
}

// applyGroups sets the groups of a user.
func applyGroups(u *storage.User, value json.RawMessage) error {
	var groups []string
	if err := decodeValue(value, &groups, "an array of strings"); err != nil {
		return err
	}
	for _, name := range groups {
		if err := storage.CheckGroupName(name); err != nil {
			return err
		}
	}
	u.Groups = storage.SortGroups(groups)
	if len(u.Groups) > storage.MaxUserGroups {
		return fmt.Errorf("has more than %d groups", storage.MaxUserGroups)
	}
	return nil
}

// applyClaim sets one of the claims that have no field of their own.
func applyClaim(u *storage.User, name string, value json.RawMessage) error {
	checkers := claimCheckers()
	check := checkers[name]
	if check == nil {
		known := []string{"preferred_username", "email", "email_verified", "groups"}
		known = append(known, slices.Sorted(maps.Keys(checkers))...)
		return errors.New(register.DescribeUnknown(name, known))
	}
	var claim any
	if err := json.Unmarshal(value, &claim); err != nil {
		return err
	}
	if claim == nil || claim == "" {
		delete(u.Claims, name) // Core §5.3.2: a claim without a value is left out
		return nil
	}
	if err := check(claim); err != nil {
		return err
	}
	if u.Claims == nil {
		u.Claims = map[string]any{}
	}
	u.Claims[name] = claim
	return nil
}

func decodeValue(value json.RawMessage, into any, kind string) error {
	if err := json.Unmarshal(value, into); err != nil {
		return fmt.Errorf("is not %s", kind)
	}
	return nil
}

// checkLoginName checks a login name. A name that looks like an e-mail address must be the address of that user:
// otherwise one user's login name could be another user's e-mail address.
func checkLoginName(u *storage.User) error {
	switch {
	case u.Name == "":
		return fmt.Errorf("is missing; it is the name to sign in with")
	case strings.Contains(u.Name, "@") && !strings.EqualFold(u.Name, u.Email):
		return fmt.Errorf("%q has an @ but is not the user's e-mail address", u.Name)
	case strings.TrimSpace(u.Name) != u.Name:
		return fmt.Errorf("begins or ends with a space")
	}
	return checkText(u.Name, maxNameBytes)
}

// The longest texts, in bytes.
const (
	maxNameBytes  = 128
	maxClaimBytes = 1000
)

// checkText checks that a text is short enough and has no invisible characters except line breaks.
func checkText(text string, maxBytes int) error {
	if len(text) > maxBytes {
		return fmt.Errorf("is longer than %d bytes", maxBytes)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) && r != '\n' }) {
		return fmt.Errorf("holds characters that cannot be shown")
	}
	return nil
}

// claimCheckers returns the check of each claim of Core §5.1 that Curfew stores as it is given.
func claimCheckers() map[string]func(any) error {
	return map[string]func(any) error{
		"name":                  checkTextClaim,
		"given_name":            checkTextClaim,
		"family_name":           checkTextClaim,
		"middle_name":           checkTextClaim,
		"nickname":              checkTextClaim,
		"gender":                checkTextClaim,
		"profile":               checkURLClaim,
		"picture":               checkURLClaim,
		"website":               checkURLClaim,
		"birthdate":             checkBirthdate,
		"zoneinfo":              checkZoneinfo,
		"locale":                checkLocale,
		"phone_number":          checkTextClaim,
		"phone_number_verified": checkBoolClaim,
		"address":               checkAddress,
	}
}

func checkTextClaim(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("is not a string")
	}
	return checkText(text, maxClaimBytes)
}

func checkBoolClaim(v any) error {
	if _, ok := v.(bool); !ok {
		return fmt.Errorf("is not true or false")
	}
	return nil
}

func checkURLClaim(v any) error {
	if err := checkTextClaim(v); err != nil {
		return err
	}
	u, err := url.Parse(v.(string))
	if err != nil || u.Host == "" {
		return fmt.Errorf("is not an http or https URL")
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("is not an http or https URL")
	}
	return nil
}

var (
	birthdatePattern = regexp.MustCompile(`^\d{4}(-\d{2}-\d{2})?$`)
	zonePattern      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`)
	localePattern    = regexp.MustCompile(`^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*$`)
)

// checkBirthdate checks a birthdate (Core §5.1): YYYY-MM-DD, the year alone, or 0000 instead of the year.
func checkBirthdate(v any) error {
	text, _ := v.(string)
	if !isBirthdate(text) {
		return fmt.Errorf("is not a date such as 1984-02-29, 0000-02-29 or 1984")
	}
	return nil
}

func isBirthdate(text string) bool {
	if !birthdatePattern.MatchString(text) {
		return false
	}
	yearOnly := len(text) == len("2006")
	if yearOnly {
		return true
	}
	if monthAndDay, hasNoYear := strings.CutPrefix(text, "0000"); hasNoYear {
		text = "2000" + monthAndDay // a leap year, which has every day
	}
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

func checkZoneinfo(v any) error {
	if text, _ := v.(string); !zonePattern.MatchString(text) {
		return fmt.Errorf("is not a time zone such as Europe/Paris")
	}
	return nil
}

func checkLocale(v any) error {
	if text, _ := v.(string); !localePattern.MatchString(text) {
		return fmt.Errorf("is not a language such as en or de-CH")
	}
	return nil
}

// checkAddress checks an address claim (Core §5.1.1).
func checkAddress(v any) error {
	parts, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("is not an object")
	}
	known := []string{"formatted", "street_address", "locality", "region", "postal_code", "country"}
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s: %s", name, register.DescribeUnknown(name, known))
		}
		if err := checkTextClaim(parts[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
