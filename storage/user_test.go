package storage_test

import (
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// TestFormerMailboxCountsForAWhile after a change of the address, and never an address that was not verified.
func TestFormerMailboxCountsForAWhile(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	later := now.Add(storage.NotMeLifetime)
	u := storage.User{Email: "old@example.org"}
	if u.HasMailbox("old@example.org", now) || u.HasMailbox("", now) {
		t.Error("an address that is not verified is a mailbox")
	}
	u.ChangeEmail("new@example.org", now)
	if u.HasMailbox("old@example.org", now) {
		t.Error("a former address that was never verified is a mailbox")
	}
	u.ChangeEmail("newer@example.org", now)
	last := later.Add(-time.Millisecond)
	if !u.HasMailbox("new@example.org", last) || !u.HasMailbox("newer@example.org", later) {
		t.Error("the former or the current address is no mailbox")
	}
	if u.HasMailbox("new@example.org", later) {
		t.Error("the former address is a mailbox for too long")
	}
	u.FixEmail("new@example.org", now)
	if !u.HasMailbox("new@example.org", later) || u.HasMailbox("newer@example.org", now) {
		t.Errorf("got %+v, want only the address at which the user said so", u)
	}
}
