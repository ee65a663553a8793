package storagetest

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

var epochTests = map[string]func(*world){
	"EpochRefusesWhatWasIssuedBefore": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.code(id, "ann", "app", t0)
		signIn, err := w.Sequence(w.ctx)
		w.must(err)
		token := storage.Token{Hash: storage.HashOf("t"), Client: "app", Issued: t0, Expires: after(time.Hour)}
		w.must(w.PutToken(w.ctx, token))
		link := storage.OneTimeLink{Hash: storage.HashOf("link"), Purpose: "reset", Subject: "ann", Expires: after(time.Hour)}
		w.must(w.PutOneTimeLink(w.ctx, link, storage.Event{}))
		w.must(w.PutInitialAccessToken(w.ctx, storage.InitialAccessToken{Hash: storage.HashOf("i"), Name: "i", UsesLeft: -1}))
		w.must(w.PutConsent(w.ctx, storage.Consent{Subject: "ann", Client: "app", At: t0}))

		w.must(w.BeginEpoch(w.ctx, after(time.Second), storage.Event{Kind: "store.restored"}))
		w.restart()
		at := after(2 * time.Second)
		_, err = w.Redeem(w.ctx, code, at, func(storage.Session, storage.ClientSession) (storage.Issuance, error) {
			return storage.Issuance{}, nil
		})
		w.mustBe(err, storage.ErrRevoked)
		session := storage.Session{
			ID:          "late",
			Sequence:    signIn,
			SecretHash:  storage.HashOf("late"),
			Subject:     "ann",
			Created:     at,
			LastActive:  at,
			IdleTimeout: time.Hour,
			Expires:     after(time.Hour),
		}
		w.mustBe(w.CreateSession(w.ctx, session, storage.Event{}), storage.ErrRevoked)
		_, _, err = w.Token(w.ctx, token.Hash, at)
		w.mustBe(err, storage.ErrNotFound)
		w.mustBe(w.ClientCredentialsTokenActive(w.ctx, "app", signIn), storage.ErrNotFound)
		_, err = w.OneTimeLink(w.ctx, link.Hash, at)
		w.mustBe(err, storage.ErrNotFound)
		_, err = w.InitialAccessToken(w.ctx, storage.HashOf("i"), at)
		w.mustBe(err, storage.ErrNotFound)
		_, err = w.Consent(w.ctx, "ann", "app")
		w.mustBe(err, storage.ErrNotFound)
		// An id that a transaction which was lost may have used.
		w.mustBe(w.MarkUsed(w.ctx, "jti", t0, after(time.Hour), at), storage.ErrAlreadyUsed)
		events, _, err := w.ListEvents(w.ctx, storage.EventFilter{Kind: "store.restored"}, storage.Page{})
		w.must(err)
		mustEqual(w, "audit lines", len(events), 1)

		// What is issued in the epoch is accepted.
		session.Sequence, err = w.Sequence(w.ctx)
		w.must(err)
		w.must(w.CreateSession(w.ctx, session, storage.Event{}))
		w.must(w.MarkUsed(w.ctx, "jti", at, after(time.Hour), at))
		token.Hash, token.Sequence = storage.HashOf("new"), session.Sequence
		w.must(w.PutToken(w.ctx, token))
		_, _, err = w.Token(w.ctx, token.Hash, at)
		w.must(err)
		w.must(w.ClientCredentialsTokenActive(w.ctx, "app", session.Sequence))
	},
	"EpochResetsTheFactorsOfAllUsers": func(w *world) {
		const count = 600 // more than a backend changes in one transaction
		var subjects []string
		for range count {
			subject := w.id("user")
			subjects = append(subjects, subject)
			w.mustUsers(subject)
			w.must(w.ChangeFactors(w.ctx, subject, func(f *storage.Factors) error {
				f.RecoveryCodes = []storage.Hash{storage.HashOf(subject)}
				return nil
			}))
		}
		w.mustUsers("ann")
		w.mustFactors()
		w.must(w.BeginEpoch(w.ctx, t0))
		want := annsFactors()
		want.Revision = 2
		want.BeginEpoch(t0)
		mustEqual(w, "factors", w.factors("ann"), want)
		for _, subject := range subjects {
			if f := w.factors(subject); len(f.RecoveryCodes) > 0 {
				w.Fatalf("%s still has recovery codes", subject)
			}
		}
	},
}
