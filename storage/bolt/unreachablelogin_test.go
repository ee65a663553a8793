package bolt

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/storage"
)

// TestLoginsThatCollideSinceRFC8265AreFound: an earlier build kept names in lower case only, so that one name in two
// Unicode forms belonged to two users. Only one of them signs in with it now.
func TestLoginsThatCollideSinceRFC8265AreFound(t *testing.T) {
	s := mustOpen(t, Options{Path: filepath.Join(t.TempDir(), "curfew.db")})
	ctx := t.Context()
	must(t, s.PutUser(ctx, storage.User{Subject: "composed", Name: "jos\u00e9"}))
	must(t, s.PutUser(ctx, storage.User{Subject: "free", Name: "free"}))
	must(t, s.PutUser(ctx, storage.User{Subject: "alone", Name: "zo\u00eb"}))
	must(t, s.PutUser(ctx, storage.User{
		Subject: "colliding", Name: "other", Email: "jo@example.org", EmailVerified: true,
	}))
	if found, err := storage.FindUnreachableLogins(ctx, s); err != nil || len(found) != 0 {
		t.Fatalf("got %+v, %v in a sound store, want none", found, err)
	}
	must(t, s.update(ctx, func(tx *tx) error {
		// The keys and names as an earlier build wrote them.
		writeOld := func(subject, name string) {
			u, _ := tx.user(subject)
			u.Name = name
			tx.putUser(u)
			tx.delete(logins, []byte(storage.LoginNameKey(name)))
			tx.put(logins, []byte(name), append([]byte{loginName}, subject...))
		}
		writeOld("colliding", "jose\u0301")
		writeOld("alone", "zoe\u0308")
		tx.put(logins, []byte("jos\u00e9"), append([]byte{loginName}, "composed"...))
		return nil
	}))
	found, err := storage.FindUnreachableLogins(ctx, s)
	if err != nil || len(found) != 2 {
		t.Fatalf("got %+v, %v, want two users", found, err)
	}
	first, second := found[0], found[1]
	if first.User.Subject != "colliding" || first.Owner == nil || first.Owner.Subject != "composed" ||
		!first.HasOtherLogin() {
		t.Errorf("got %+v, want the user whose name finds another, with an address", first)
	}
	if text := second.Problem(); !strings.Contains(text, "alone") || !strings.Contains(text, "no verified e-mail") {
		t.Errorf("got %q", text)
	}
	if second.User.Subject != "alone" || second.Owner != nil || second.HasOtherLogin() {
		t.Errorf("got %+v, want the user whom no login finds", second)
	}
}
