package signin

import (
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// roomDivisor is the number of a user's sessions for each session that makeRoom ends: it ends one in ten.
const roomDivisor = 10

// makeRoom returns a refusal if the user has as many sessions as allowed and the sign-in would add one. With endOldest
// it ends the sessions that were used least recently instead.
func (h *Handler) makeRoom(r *http.Request, previous *storage.Session, subject string, endOldest bool) error {
	limit := h.Lifetimes.MaxPerUser
	renewsSession := previous != nil && previous.Subject == subject
	if limit == 0 || renewsSession {
		return nil
	}
	now := h.Site.Now()
	sessions, _, err := h.Store.ListSessions(
		r.Context(),
		storage.Selector{Subject: subject},
		now,
		storage.Page{Limit: limit},
	)
	if err != nil || len(sessions) < limit {
		return err
	}
	if !endOldest {
		return &authn.Refusal{
			Problem: templates.Problem{Fault: templates.TooManySessions},
			Reason:  "the user has as many sessions as session.max_per_user allows",
			Subject: subject,
		}
	}
	slices.SortFunc(sessions, func(a, b storage.Session) int { return a.LastActive.Compare(b.LastActive) })
	var oldest []storage.SessionID
	for _, session := range sessions[:max(1, limit/roomDivisor)] {
		oldest = append(oldest, session.ID)
	}
	_, err = h.Terminator.End(r.Context(), storage.EndRequest{
		Selector: storage.Selector{Sessions: oldest},
		Cause: storage.Cause{
			Reason:  storage.ReasonAccount,
			By:      "user:" + subject,
			Address: h.Site.ClientAddress(r),
		},
	})
	return err
}
