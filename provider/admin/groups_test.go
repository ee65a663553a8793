package admin_test

import (
	"slices"
	"testing"

	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/storage"
)

// groupsOf returns the groups of a user.
func (d *fixture) groupsOf(user string) []string {
	d.t.Helper()
	return must[admin.User](d, 200, "GET", "/users/"+user, "").Groups
}

func TestGroupsHaveTheMembersThatJoined(t *testing.T) {
	d := mustStart(t)
	ada := d.mustAddUser("ada")
	d.mustAddUser("bob")
	must[admin.User](d, 201, "POST", "/users", `{"preferred_username":"cid","groups":["staff","admins","staff"]}`)
	must[admin.User](d, 200, "PUT", "/groups/staff/members/ada", "")
	must[admin.User](d, 200, "PUT", "/groups/staff/members/ada", "") // again changes nothing
	if e := d.lastEvent("user.group_joined"); e.Subject != ada.Subject || e.Detail["group"] != "staff" {
		t.Errorf("got audit line %+v, want the user and the group", e)
	}
	if got := d.groupsOf("cid"); !slices.Equal(got, []string{"admins", "staff"}) {
		t.Errorf("got groups %v, want each once, sorted", got)
	}
	list := must[admin.GroupList](d, 200, "GET", "/groups", "")
	if want := []admin.Group{{Name: "admins", Members: 1}, {Name: "staff", Members: 2}}; !slices.Equal(list.Groups, want) {
		t.Errorf("got %v, want %v", list.Groups, want)
	}
	members := must[admin.UserList](d, 200, "GET", "/users?group=staff", "")
	if len(members.Users) != 2 || members.Users[0].Name != "ada" || members.Users[1].Name != "cid" {
		t.Errorf("got members %+v, want ada and cid", members.Users)
	}
	must[admin.TerminationResult](d, 200, "DELETE", "/groups/staff/members/ada", "")
	if e := d.lastEvent("user.group_left"); e.Reason != storage.ReasonGroupLeft || e.Detail["group"] != "staff" {
		t.Errorf("got audit line %+v, want the reason and the group", e)
	}
	if got := d.groupsOf("ada"); len(got) != 0 {
		t.Errorf("got groups %v after leaving", got)
	}
	d.mustFail(404, "not_found", "group of the user", "DELETE", "/groups/staff/members/ada", "")
	d.mustFail(404, "not_found", "user", "PUT", "/groups/staff/members/eve", "")
	d.mustFail(400, "invalid", "group", "PUT", "/groups/a%2Cb/members/ada", "")
}

// TestChangedUserKeepsOrLosesGroups: a change of other claims keeps the groups, and null takes all away.
func TestChangedUserKeepsOrLosesGroups(t *testing.T) {
	d := mustStart(t)
	must[admin.User](d, 201, "POST", "/users", `{"preferred_username":"ada","email":"ada@example.org","groups":["staff"]}`)
	must[admin.User](d, 200, "PATCH", "/users/ada", `{"name":"Ada"}`)
	if got := d.groupsOf("ada"); !slices.Equal(got, []string{"staff"}) {
		t.Errorf("got groups %v, want staff still", got)
	}
	d.mustFail(400, "invalid", "keep_offline", "PATCH", "/users/ada",
		`{"groups":[],"email":"new@example.org","keep_offline":true}`)
	must[admin.User](d, 200, "PATCH", "/users/ada", `{"groups":null}`)
	if got := d.groupsOf("ada"); len(got) != 0 {
		t.Errorf("got groups %v after null", got)
	}
	if e := d.lastEvent("user.changed"); e.Reason != storage.ReasonGroupLeft {
		t.Errorf("got reason %q, want %q", e.Reason, storage.ReasonGroupLeft)
	}
}
