package admin

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// Group is a group with the number of its members. A group exists while it has a member.
type Group struct {
	Name    string `json:"name"`
	Members int    `json:"members"`
}

// GroupList lists groups by name.
type GroupList struct {
	Groups []Group `json:"groups"`
}

// listGroups counts the members of each group. It reads all users.
func (a *api) listGroups(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	members := map[string]int{}
	page := storage.Page{Limit: maxLimit}
	for {
		users, next, err := a.Store.ListUsers(r.Context(), page)
		if err != nil {
			return err
		}
		for _, u := range users {
			for _, group := range u.Groups {
				members[group]++
			}
		}
		if next == "" {
			break
		}
		page.After = next
	}
	list := GroupList{Groups: []Group{}}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		list.Groups = append(list.Groups, Group{Name: name, Members: members[name]})
	}
	return writeJSON(w, http.StatusOK, list)
}

// joinGroup makes a user a member of a group.
func (a *api) joinGroup(w http.ResponseWriter, r *http.Request) error {
	group := r.PathValue("group")
	if err := storage.CheckGroupName(group); err != nil {
		return invalid("group", "%s", err)
	}
	ctx := r.Context()
	u, err := a.findUser(ctx, r.PathValue("user"))
	if err != nil {
		return err
	}
	if slices.Contains(u.Groups, group) {
		return writeJSON(w, http.StatusOK, toUser(u))
	}
	if len(u.Groups) >= storage.MaxUserGroups {
		return invalid("group", "would be more than the %d groups that a user may have", storage.MaxUserGroups)
	}
	u.Groups = storage.SortGroups(append(slices.Clone(u.Groups), group))
	u.Updated = a.Now()
	event := a.auditEventFor(ctx, "user.group_joined", u.Subject, "")
	event.Detail = map[string]string{"group": group}
	if err := a.Store.PutUser(ctx, u, event); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, toUser(u))
}

// leaveGroup takes a user out of a group, and ends the client sessions and grants of the clients that no longer admit
// the user.
func (a *api) leaveGroup(w http.ResponseWriter, r *http.Request) error {
	ctx, group := r.Context(), r.PathValue("group")
	u, err := a.findUser(ctx, r.PathValue("user"))
	if err != nil {
		return err
	}
	isGroup := func(name string) bool { return name == group }
	if !slices.ContainsFunc(u.Groups, isGroup) {
		return explainNotFound(storage.ErrNotFound, "group of the user", group)
	}
	u.Groups = storage.SortGroups(slices.DeleteFunc(slices.Clone(u.Groups), isGroup))
	u.Updated = a.Now()
	event := a.auditEventFor(ctx, "user.group_left", u.Subject, "")
	event.Detail = map[string]string{"group": group}
	result, err := a.putUserWithFewerGroups(ctx, u, event)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, result)
}

// leavesGroups reports whether the user was in a group before and is not in it any more.
func leavesGroups(before, after storage.User) bool {
	return slices.ContainsFunc(before.Groups, func(group string) bool { return !slices.Contains(after.Groups, group) })
}

// putUserWithFewerGroups stores a user with fewer groups. In the same transaction it ends the client sessions and
// grants, offline access included, of the clients that no longer admit the user.
func (a *api) putUserWithFewerGroups(
	ctx context.Context,
	u storage.User,
	event storage.Event,
) (TerminationResult, error) {
	return a.terminate(
		ctx,
		storage.Selector{Subject: u.Subject, Unadmitted: true, IncludeOffline: true},
		storage.ReasonGroupLeft,
		storage.Change{User: &u, Events: []storage.Event{event}},
		changeHasEvent,
	)
}
