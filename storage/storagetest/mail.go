package storagetest

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// mail.go tests the queue of messages.

// newMail returns a message that is due at that time.
func newMail(id string, due time.Time) storage.Mail {
	return storage.Mail{
		ID:          id,
		Content:     []byte("sealed " + id),
		Created:     t0,
		NextAttempt: due,
		GiveUpAt:    after(48 * time.Hour),
	}
}

// newNotice returns a notice with a link to a user that works for an hour. name is the id of the message and the secret
// of the link.
func newNotice(name, subject string) *storage.Notice {
	return &storage.Notice{
		Mail: newMail(name, t0),
		Link: storage.OneTimeLink{
			Hash:    storage.HashOf(name),
			Purpose: storage.LinkNotMe,
			Subject: subject,
			Address: subject + "@example.org",
			Created: t0,
			Expires: after(time.Hour),
		},
	}
}

// mustClaimMail returns the ids of the messages that a claim gets.
func (w *world) mustClaimMail(at time.Time, limit int) (ids []string) {
	w.Helper()
	list, err := w.ClaimMail(w.ctx, at, time.Minute, limit)
	w.must(err)
	for _, m := range list {
		ids = append(ids, m.ID)
	}
	return ids
}

var mailTests = map[string]func(*world){
	"MailIsClaimedWhenDueAndKeptUntilItIsFinished": func(w *world) {
		next, err := w.NextMail(w.ctx)
		w.must(err)
		mustEqual(w, "next of an empty queue", next, time.Time{})
		w.must(w.QueueMail(w.ctx, newMail("later", after(time.Hour)), newMail("second", after(time.Second))))
		w.must(w.QueueMail(w.ctx, newMail("first", t0)))
		next, err = w.NextMail(w.ctx)
		w.must(err)
		mustEqual(w, "next", next, t0)
		mustEqual(w, "claimed", w.mustClaimMail(after(time.Second), 10), []string{"first", "second"})
		mustEqual(w, "claimed again", w.mustClaimMail(after(time.Second), 10), nil)
		w.restart()
		list, err := w.ClaimMail(w.ctx, after(2*time.Minute), time.Minute, 1) // the lease has run out
		w.must(err)
		mustEqual(w, "claimed after the lease", len(list), 1)
		m := list[0]
		mustEqual(w, "content", string(m.Content), "sealed "+m.ID)
		mustEqual(w, "attempts and lease", [2]int{m.Attempts, int(m.Lease)}, [2]int{2, 2})
		w.must(w.RecordMail(w.ctx, storage.MailOutcome{ID: m.ID, Lease: m.Lease, NextAttempt: after(3 * time.Hour)}))
		mustEqual(w, "claimed before the next attempt", len(w.mustClaimMail(after(2*time.Hour), 10)), 2)
		list, err = w.ClaimMail(w.ctx, after(3*time.Hour), time.Minute, 10)
		w.must(err)
		for _, m := range list {
			event := storage.Event{At: t0, Kind: "mail.sent"}
			w.must(w.RecordMail(w.ctx, storage.MailOutcome{ID: m.ID, Lease: m.Lease, Events: []storage.Event{event}}))
		}
		mustEqual(w, "lines", len(w.events(storage.EventFilter{Kind: "mail.sent"})), 3)
		mustEqual(w, "left", w.mustClaimMail(after(40*time.Hour), 10), nil)
	},
	"MailOutcomeOfAnEarlierLeaseIsRefused": func(w *world) {
		w.must(w.QueueMail(w.ctx, newMail("m", t0)))
		w.mustClaimMail(t0, 1)
		w.mustClaimMail(after(time.Hour), 1)
		w.mustBe(w.RecordMail(w.ctx, storage.MailOutcome{ID: "m", Lease: 1}), storage.ErrChanged)
		w.mustBe(w.RecordMail(w.ctx, storage.MailOutcome{ID: "unknown", Lease: 1}), storage.ErrChanged)
		w.must(w.RecordMail(w.ctx, storage.MailOutcome{ID: "m", Lease: 2, NextAttempt: after(2 * time.Hour)}))
		w.mustBe(w.RecordMail(w.ctx, storage.MailOutcome{ID: "m", Lease: 2}), storage.ErrChanged)
	},
	"MailIsClaimedOnce": func(w *world) {
		for range 20 {
			w.must(w.QueueMail(w.ctx, newMail(w.id("mail"), t0)))
		}
		var claimed atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				list, err := w.ClaimMail(w.ctx, t0, time.Minute, 5)
				if err != nil {
					w.Error(err)
				}
				claimed.Add(int32(len(list)))
			})
		}
		wg.Wait()
		claimed.Add(int32(len(w.mustClaimMail(t0, 100))))
		mustEqual(w, "claimed", claimed.Load(), 20)
	},
	"MailIsQueuedWithItsLinkOrNotAtAll": func(w *world) {
		w.mustUsers("ann")
		link := storage.OneTimeLink{
			Hash: storage.HashOf("l"), Purpose: storage.LinkReset, Subject: "ann", Address: "ann@example.org",
			Created: t0, Expires: after(time.Hour),
		}
		w.must(w.PutOneTimeLink(w.ctx, link, storage.Event{At: t0, Kind: "link.made"}, newMail("link", t0)))
		stored, err := w.OneTimeLink(w.ctx, link.Hash, t0)
		w.must(err)
		mustEqual(w, "address", stored.Address, "ann@example.org")
		u, err := w.User(w.ctx, "ann")
		w.must(err)
		change := storage.Change{User: &u, UseLink: link.Hash, Mails: []storage.Mail{newMail("changed", t0)}}
		w.must(w.endWith(change, ""))
		mustEqual(w, "claimed", w.mustClaimMail(t0, 10), []string{"changed", "link"})
		change.Mails = []storage.Mail{newMail("refused", t0)}
		u, err = w.User(w.ctx, "ann")
		w.must(err)
		w.mustBe(w.endWith(change, ""), storage.ErrAlreadyUsed)
		mustEqual(w, "claimed after the refusal", w.mustClaimMail(t0, 10), nil)
	},
	"NoticeIsQueuedWithItsEventOrNotAtAll": func(w *world) {
		w.mustUsers("ann")
		about := func(name string) storage.Event {
			return storage.Event{At: t0, Kind: "user." + name, Subject: "ann", Notice: newNotice(name, "ann")}
		}
		u, err := w.User(w.ctx, "ann")
		w.must(err)
		w.must(w.PutUser(w.ctx, u, about("put")))
		w.mustBe(w.PutUser(w.ctx, u, about("refused")), storage.ErrChanged)
		w.must(w.CreateSession(w.ctx, newSession("s", "ann", t0), about("session")))
		keep := func(*storage.Factors) error { return nil }
		w.must(w.ChangeFactors(w.ctx, "ann", keep, about("factors")))
		i := storage.Identity{Issuer: "https://up.example", Subject: "1", User: "ann", Provider: "up", Created: t0}
		w.must(w.Link(w.ctx, i, nil, about("linked")))
		w.mustEnd(storage.Selector{Subject: "ann"}, t0, storage.Change{Events: []storage.Event{about("end")}})
		all := []string{"end", "factors", "linked", "put", "session"}
		mustEqual(w, "queued", w.mustClaimMail(t0, 10), all)
		for _, name := range append(all, "refused") {
			l, err := w.OneTimeLink(w.ctx, storage.HashOf(name), t0)
			if name == "refused" {
				w.mustBe(err, storage.ErrNotFound)
				continue
			}
			w.must(err)
			mustEqual(w, "address", l.Address, "ann@example.org")
		}
	},
	"LinksInNoticesOutliveWhatAnAttackerCanDo": func(w *world) {
		w.mustUsers("ann", "bob")
		w.must(w.AppendEvents(w.ctx,
			storage.Event{At: t0, Kind: "user.one", Notice: newNotice("one", "ann")},
			storage.Event{At: t0, Kind: "user.two", Notice: newNotice("two", "ann")},
			storage.Event{At: t0, Kind: "user.three", Notice: newNotice("three", "bob")}))
		u, err := w.User(w.ctx, "ann")
		w.must(err)
		u.Password = "another"
		request := storage.EndRequest{
			Selector: storage.Selector{Subject: "ann"},
			Cause:    cause("password"),
			Change:   storage.Change{User: &u},
		}
		request.SecureUser("ann", false)
		_, _, err = w.EndSessions(w.ctx, request, t0, 0, noPlan)
		w.must(err)
		for _, name := range []string{"one", "two"} {
			_, err = w.OneTimeLink(w.ctx, storage.HashOf(name), t0)
			w.must(err)
		}
		_, err = w.OneTimeLink(w.ctx, storage.HashOf("one"), after(time.Hour))
		w.mustBe(err, storage.ErrNotFound)
		w.must(w.endWith(storage.Change{UseLink: storage.HashOf("one")}, ""))
		w.mustBe(w.endWith(storage.Change{UseLink: storage.HashOf("one")}, ""), storage.ErrAlreadyUsed)
		w.must(w.endWith(storage.Change{RemoveUser: "ann"}, ""))
		_, err = w.OneTimeLink(w.ctx, storage.HashOf("two"), t0)
		w.mustBe(err, storage.ErrNotFound)
		_, err = w.OneTimeLink(w.ctx, storage.HashOf("three"), t0)
		w.must(err)
	},
	"MailDatedByAClockThatWasAheadIsDueAgain": func(w *world) {
		ahead := after(10 * 24 * time.Hour)
		w.must(w.QueueMail(w.ctx, newMail("first", ahead), newMail("retried", t0), newMail("leased", t0)))
		mustEqual(w, "claimed", w.mustClaimMail(t0, 1), []string{"leased"})
		list, err := w.ClaimMail(w.ctx, ahead, time.Minute, 10)
		w.must(err)
		for _, m := range list {
			if m.ID == "retried" {
				outcome := storage.MailOutcome{ID: m.ID, Lease: m.Lease, NextAttempt: ahead.Add(time.Hour), Pause: time.Hour}
				w.must(w.RecordMail(w.ctx, outcome))
			}
		}
		at := after(time.Hour) // the clock was set back
		w.must(w.RescheduleMail(w.ctx, at))
		w.restart()
		mustEqual(w, "claimed at once", w.mustClaimMail(at, 10), nil)
		due := at.Add(storage.MaxMailLease)
		mustEqual(w, "claimed after the lease", w.mustClaimMail(due, 10), []string{"first", "leased"})
		mustEqual(w, "claimed after the pause", len(w.mustClaimMail(at.Add(time.Hour), 10)), 3)
	},
	"MailThatWasGivenUpIsSwept": func(w *world) {
		w.must(w.QueueMail(w.ctx, newMail("m", t0)))
		_, err := w.Sweep(w.ctx, after(48*time.Hour+storage.MailRetention-time.Second), 100)
		w.must(err)
		mustEqual(w, "kept", w.mustClaimMail(after(time.Hour), 10), []string{"m"})
		_, err = w.Sweep(w.ctx, after(49*time.Hour+storage.MailRetention), 100)
		w.must(err)
		mustEqual(w, "left", w.mustClaimMail(after(100*time.Hour), 10), nil)
	},
}
