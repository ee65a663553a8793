package storage

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// group.go has the rules of groups. A group is a name that users have in User.Groups: it exists while it has a member.
// Clients name groups in Metadata.AdmitGroups.

// The longest name of a group, in bytes, and the largest number of groups of one user.
const (
	MaxGroupName  = 128
	MaxUserGroups = 200
)

// CheckGroupName returns an error if name cannot be the name of a group. It refuses commas, because some clients get
// all names as one string, in which commas separate them.
func CheckGroupName(name string) error {
	isForbidden := func(r rune) bool { return !unicode.IsGraphic(r) || r == ',' }
	switch {
	case name == "":
		return fmt.Errorf("the name of a group is empty")
	case len(name) > MaxGroupName:
		return fmt.Errorf("the name of a group is longer than %d bytes", MaxGroupName)
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("the name of the group %q begins or ends with a space", name)
	case strings.ContainsFunc(name, isForbidden):
		return fmt.Errorf("the name of the group %q has a comma or a character that cannot be shown", name)
	}
	return nil
}

// SortGroups returns the names in the form of User.Groups: sorted, each once, and nil if there are none.
func SortGroups(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// Admits reports whether the client accepts the user: it admits all users, or one of the user's groups.
func (c *Client) Admits(u User) bool {
	if len(c.AdmitGroups) == 0 {
		return true
	}
	isMember := func(group string) bool { return slices.Contains(u.Groups, group) }
	return slices.ContainsFunc(c.AdmitGroups, isMember)
}

// AdmitsFewer reports whether the client may refuse users whom it accepted with the metadata before.
func (c *Client) AdmitsFewer(before *Client) bool {
	admitsAll := len(c.AdmitGroups) == 0
	admittedAll := len(before.AdmitGroups) == 0
	if admitsAll || admittedAll {
		return !admitsAll
	}
	isMissing := func(group string) bool { return !slices.Contains(c.AdmitGroups, group) }
	return slices.ContainsFunc(before.AdmitGroups, isMissing)
}
