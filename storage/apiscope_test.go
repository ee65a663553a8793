package storage

import (
	"slices"
	"testing"
)

// declared are scopes of two APIs: orders, of which one scope is for the client shop and members of sales, and bills.
var declared = APIScopes{
	"orders.read":  {Name: "orders.read", Audience: []string{"orders"}},
	"orders.write": {Name: "orders.write", Audience: []string{"orders"}, Clients: []string{"shop"}, Groups: []string{"sales"}},
	"bills":        {Name: "bills", Audience: []string{"bills"}, Clients: []string{"shop", "desk"}},
}

func TestClientHasTheScopesOfAPIsThatTheOperatorGaveIt(t *testing.T) {
	requested := []string{"openid", "orders.read", "orders.write", "bills", "custom"}
	for _, c := range []struct {
		id, registered string
		want           []string
	}{
		{"shop", "", []string{"openid", "orders.write", "bills"}},
		{"shop", "openid orders.write", []string{"openid", "orders.write"}},
		{"other", "", []string{"openid"}},
		{"other", "openid orders.read orders.write bills custom", []string{"openid", "orders.read", "custom"}},
	} {
		got := declared.Allowed(client(Metadata{ClientID: c.id, Scope: c.registered}), requested)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s with scope %q: got %q, want %q", c.id, c.registered, got, c.want)
		}
	}
}

func TestClientItselfHasNoScopeOfAGroup(t *testing.T) {
	for _, c := range []struct {
		id, registered string
		want           []string
	}{
		{"shop", "", []string{"bills"}},
		{"shop", "openid bills orders.write custom", []string{"bills", "custom"}},
		{"other", "openid orders.read bills", []string{"orders.read"}},
		{"other", "", nil},
	} {
		got := declared.OfClient(client(Metadata{ClientID: c.id, Scope: c.registered}))
		if !slices.Equal(got, c.want) {
			t.Errorf("%s with scope %q: got %q, want %q", c.id, c.registered, got, c.want)
		}
	}
}

func TestUserGrantsOnlyTheScopesOfTheirGroups(t *testing.T) {
	scope := []string{"openid", "orders.read", "orders.write"}
	if got := declared.AllowedToUser(User{Groups: []string{"sales", "staff"}}, scope); !slices.Equal(got, scope) {
		t.Errorf("got %q for a member, want all", got)
	}
	if got := declared.AllowedToUser(User{Groups: []string{"staff"}}, scope); !slices.Equal(got, scope[:2]) {
		t.Errorf("got %q for another user, want no orders.write", got)
	}
}

// TestResourcesAreExactlyAnAudience (RFC 8707 §2): the client's own and those of the APIs that they name.
func TestResourcesAreExactlyAnAudience(t *testing.T) {
	for _, c := range []struct {
		registered, scope, resources []string
		want                         []string
		ok                           bool
	}{
		{nil, nil, nil, nil, true},
		{nil, nil, []string{"api"}, nil, false},
		{[]string{"api"}, nil, nil, nil, true},
		{[]string{"api"}, nil, []string{"api"}, []string{}, true},
		{[]string{"a", "b"}, nil, []string{"b", "a"}, []string{}, true},
		{[]string{"a", "b"}, nil, []string{"a"}, nil, false},
		{[]string{"a"}, nil, []string{"a", "b"}, nil, false},
		{nil, []string{"openid", "orders.read", "bills"}, nil, []string{"openid", "orders.read", "bills"}, true},
		{nil, []string{"openid", "orders.read", "bills"}, []string{"bills"}, []string{"openid", "bills"}, true},
		{nil, []string{"openid", "orders.read"}, []string{"bills"}, nil, false},
		{[]string{"a"}, []string{"orders.read"}, []string{"orders"}, nil, false},
		{[]string{"a"}, []string{"orders.read"}, []string{"orders", "a"}, []string{"orders.read"}, true},
	} {
		got, ok := declared.Narrow(client(Metadata{Audience: c.registered}), c.scope, c.resources)
		if ok != c.ok || !slices.Equal(got, c.want) {
			t.Errorf("%q for %q and %q: got %q, %v, want %q, %v", c.resources, c.registered, c.scope, got, ok, c.want, c.ok)
		}
	}
}
