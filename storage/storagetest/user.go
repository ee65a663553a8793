package storagetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-id/curfew/storage"
)

var userTests = map[string]func(*world){
	"UserIsFoundBySubjectNameAndAddressWithoutRegardToCase": func(w *world) {
		w.must(w.PutUser(w.ctx, storage.User{
			Subject:       "sub",
			Name:          "Ann",
			Email:         "Ann@Example.org",
			EmailVerified: true,
			Password:      "$argon2id$…",
			Created:       t0,
			Claims:        map[string]any{"given_name": "Ann", "address": map[string]any{"country": "PT"}},
		}))
		w.restart()
		for _, login := range []string{"Ann", "ANN", "ann@example.ORG"} {
			u, err := w.UserByLogin(w.ctx, login)
			w.must(err)
			mustEqual(w, login, u.Subject, "sub")
		}
		u, err := w.User(w.ctx, "sub")
		w.must(err)
		mustEqual(
			w,
			"claims",
			u.Claims,
			map[string]any{"given_name": "Ann", "address": map[string]any{"country": "PT"}},
		)
		mustEqual(w, "revision", u.Revision, 1)
		_, err = w.User(w.ctx, "nobody")
		w.mustBe(err, storage.ErrNotFound)
		_, err = w.UserByLogin(w.ctx, "")
		w.mustBe(err, storage.ErrNotFound)
	},
	"LoginNameAndAddressAreUniqueAmongBoth": func(w *world) {
		w.must(
			w.PutUser(
				w.ctx,
				storage.User{Subject: "1", Name: "ann@example.org", Email: "ann@example.org", EmailVerified: true},
			),
		)
		for _, u := range []storage.User{
			{Subject: "1", Name: "other"},
			{Subject: "2", Name: "ANN@example.org"},
			{Subject: "2", Name: "bob", Email: "Ann@Example.org", EmailVerified: true},
		} {
			w.mustBe(w.PutUser(w.ctx, u), storage.ErrExists)
		}
		w.must(w.PutUser(w.ctx, storage.User{Subject: "2", Name: "bob"}))
		w.mustBe(
			w.PutUser(
				w.ctx,
				storage.User{Subject: "2", Name: "bob", Email: "ann@example.org", EmailVerified: true, Revision: 1},
			),
			storage.ErrExists,
		)
		w.must(w.PutUser(w.ctx, storage.User{Subject: "1", Name: "ann", Revision: 1}))
		w.must(
			w.PutUser(
				w.ctx,
				storage.User{Subject: "2", Name: "bob", Email: "ann@example.org", EmailVerified: true, Revision: 1},
			),
		)
		u, err := w.UserByLogin(w.ctx, "ann@example.org")
		w.must(err)
		mustEqual(w, "user with a freed address", u.Subject, "2")
	},
	"AddressThatIsNotVerifiedNeitherSignsInNorBlocks": func(w *world) {
		w.must(w.PutUser(w.ctx, storage.User{Subject: "squatter", Name: "squatter", Email: "ann@example.org"}))
		_, err := w.UserByLogin(w.ctx, "ann@example.org")
		w.mustBe(err, storage.ErrNotFound)
		w.must(
			w.PutUser(w.ctx, storage.User{Subject: "ann", Name: "ann", Email: "Ann@example.org", EmailVerified: true}),
		)
		w.mustBe(w.PutUser(w.ctx, storage.User{
			Subject:       "squatter",
			Name:          "squatter",
			Email:         "ann@example.org",
			EmailVerified: true,
			Revision:      1,
		}), storage.ErrExists)
		w.must(w.PutUser(w.ctx, storage.User{Subject: "squatter", Name: "squatter", Revision: 1}))
		w.restart()
		u, err := w.UserByLogin(w.ctx, "ann@example.org")
		w.must(err)
		mustEqual(w, "owner", u.Subject, "ann")
		u.EmailVerified = false
		w.must(w.PutUser(w.ctx, u))
		_, err = w.UserByLogin(w.ctx, "ann@example.org")
		w.mustBe(err, storage.ErrNotFound)
	},
	"LoginNameFindsOneUserHoweverItIsTyped": func(w *world) {
		w.must(
			w.PutUser(
				w.ctx,
				storage.User{Subject: "jose", Name: "Jos\u00e9", Email: "Jos\u00e9@example.org", EmailVerified: true},
			),
		)
		for _, login := range []string{
			"jos\u00e9",
			"jose\u0301",
			"JOSE\u0301",
			"\uff4aos\u00e9",
			"jose\u0301@example.org",
			"JOS\u00c9@EXAMPLE.ORG",
		} {
			u, err := w.UserByLogin(w.ctx, login)
			w.must(err)
			mustEqual(w, login, u.Subject, "jose")
		}
		for _, name := range []string{"jose\u0301", "JOS\u00c9"} {
			w.mustBe(w.PutUser(w.ctx, storage.User{Subject: "other", Name: name}), storage.ErrExists)
		}
		w.must(
			w.PutUser(w.ctx, storage.User{Subject: "spaces", Name: "Ann Other"}),
		) // the username profile of RFC 8265 does not allow this name
		u, err := w.UserByLogin(w.ctx, "ann other")
		w.must(err)
		mustEqual(w, "a name with a space", u.Subject, "spaces")
		_, err = w.UserByLogin(w.ctx, "jose")
		w.mustBe(err, storage.ErrNotFound)
	},
	"OneOfSeveralChangesOfTheSameRevisionIsStored": func(w *world) {
		w.mustUsers("ann")
		var done atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				switch err := w.PutUser(w.ctx, storage.User{Subject: "ann", Name: "ann", Revision: 1}); {
				case err == nil:
					done.Add(1)
				case !errors.Is(err, storage.ErrChanged):
					w.Error(err)
				}
			})
		}
		wg.Wait()
		mustEqual(w, "stored", done.Load(), 1)
		w.mustBe(w.PutUser(w.ctx, storage.User{Subject: "nobody", Name: "nobody", Revision: 1}), storage.ErrNotFound)
	},
	"SubjectOfARemovedUserIsNeverUsedAgain": func(w *world) {
		w.mustUsers("ann")
		w.mustEnd(storage.Selector{Subject: "ann", IncludeOffline: true}, t0, storage.Change{RemoveUser: "ann"})
		w.restart()
		w.mustBe(w.PutUser(w.ctx, storage.User{Subject: "ann", Name: "new"}), storage.ErrExists)
		w.must(w.PutUser(w.ctx, storage.User{Subject: "other", Name: "ann", Email: "ann@example.org"}))
		_, err := w.User(w.ctx, "ann")
		w.mustBe(err, storage.ErrNotFound)
	},
	"RemovedUserLeavesNoConsentAndNoLink": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		w.must(w.PutConsent(w.ctx, storage.Consent{Subject: "ann", Client: "app", At: t0}))
		w.must(w.PutOneTimeLink(w.ctx, storage.OneTimeLink{
			Hash:    storage.HashOf("link"),
			Purpose: "reset",
			Subject: "ann",
			Expires: after(1e12),
		}, storage.Event{}))
		w.mustEnd(storage.Selector{Subject: "ann"}, t0, storage.Change{RemoveUser: "ann"})
		_, err := w.Consent(w.ctx, "ann", "app")
		w.mustBe(err, storage.ErrNotFound)
		_, err = w.OneTimeLink(w.ctx, storage.HashOf("link"), t0)
		w.mustBe(err, storage.ErrNotFound)
		w.mustBe(w.PutConsent(w.ctx, storage.Consent{Subject: "ann", Client: "app", At: t0}), storage.ErrRevoked)
	},
	"UsersAreListedByName": func(w *world) {
		w.mustUsers("dan", "ann", "Carl", "bob", "eve")
		all := pages(w, func(p storage.Page) ([]storage.User, string, error) { return w.ListUsers(w.ctx, p) })
		var names []string
		for _, u := range all {
			names = append(names, u.Name)
		}
		mustEqual(w, "names", names, []string{"ann", "bob", "Carl", "dan", "eve"})
	},
}

var clientTests = map[string]func(*world){
	"ClientIsStoredWhole": func(w *world) {
		yes := true
		c := storage.Client{
			Metadata: storage.Metadata{
				ClientID:     "app",
				RedirectURIs: []string{"https://app.example/cb"},
				RequirePKCE:  &yes,
				JWKS:         []byte(`{"keys":[]}`),
			},
			SecretHash:    storage.HashOf("secret"),
			SecretWrapped: []byte{1, 2},
			Created:       t0,
			Updated:       t0,
		}
		w.must(w.PutClient(w.ctx, c))
		c.RedirectURIs[0] = "https://evil.example" // a caller's slice is not the store's
		c.RedirectURIs = []string{"https://app.example/cb"}
		c.Revision = 1
		for range 2 {
			got, err := w.Client(w.ctx, "app")
			w.must(err)
			mustEqual(w, "client", *got, c)
			w.restart()
		}
		_, err := w.Client(w.ctx, "other")
		w.mustBe(err, storage.ErrNotFound)
	},
	"ClientChangesByRevision": func(w *world) {
		w.mustClients("app")
		c := storage.Client{Metadata: storage.Metadata{ClientID: "app", ClientName: "new"}}
		w.mustBe(w.PutClient(w.ctx, c), storage.ErrExists)
		c.Revision = 2
		w.mustBe(w.PutClient(w.ctx, c), storage.ErrChanged)
		c.Revision = 1
		w.must(w.PutClient(w.ctx, c))
		got, err := w.Client(w.ctx, "app")
		w.must(err)
		mustEqual(w, "name", got.ClientName, "new")
		mustEqual(w, "revision", got.Revision, 2)
		c.ClientID = "other"
		w.mustBe(w.PutClient(w.ctx, c), storage.ErrNotFound)
	},
	"WriteOfARemovedClientDoesNotChangeANewOneWithItsID": func(w *world) {
		w.mustClients("app", "other")
		for _, changes := range []int{0, 2} {
			before, err := w.Client(w.ctx, "app")
			w.must(err)
			for range changes {
				c, err := w.Client(w.ctx, "app")
				w.must(err)
				w.must(w.PutClient(w.ctx, *c))
			}
			w.mustEnd(storage.Selector{Client: "app", IncludeOffline: true}, t0, storage.Change{RemoveClient: "app"})
			w.restart()
			w.must(w.PutClient(w.ctx, storage.Client{Metadata: before.Metadata}))
			for range 4 {
				w.mustBe(w.PutClient(w.ctx, *before), storage.ErrChanged)
				c, err := w.Client(w.ctx, "app")
				w.must(err)
				w.must(w.PutClient(w.ctx, *c))
			}
		}
	},
	"DynamicClientsAreCountedWithTheirBytes": func(w *world) {
		w.mustClients("operators")
		usage := func() storage.ClientUsage {
			u, err := w.DynamicClientUsage(w.ctx)
			w.must(err)
			return u
		}
		mustEqual(w, "usage", usage(), storage.ClientUsage{})
		small := storage.Client{Metadata: storage.Metadata{ClientID: "own"}, Dynamic: true, Created: t0}
		w.must(w.RegisterClient(w.ctx, small, storage.Hash{}, t0))
		before := usage()
		large := small
		large.ClientName, large.Revision = "a longer record", 1
		w.must(w.PutClient(w.ctx, large))
		w.restart()
		grown := usage()
		mustEqual(w, "clients", [2]int{before.Clients, grown.Clients}, [2]int{1, 1})
		if before.Bytes <= 0 || grown.Bytes <= before.Bytes {
			w.Errorf("got %d bytes, then %d, want the larger record to count for more", before.Bytes, grown.Bytes)
		}
		got, err := w.Client(w.ctx, "own")
		w.must(err)
		mustEqual(w, "name", got.ClientName, "a longer record")
		w.mustEnd(
			storage.Selector{Client: "own", IncludeOffline: true},
			t0,
			storage.Change{RemoveClient: "own"},
		)
		mustEqual(w, "usage", usage(), storage.ClientUsage{})
	},
	"UnusedDynamicClientsAreListed": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("operators")
		for _, id := range []string{"never", "once", "renewed"} {
			c := storage.Client{Metadata: storage.Metadata{ClientID: id}, Dynamic: true, Created: t0}
			w.must(w.RegisterClient(w.ctx, c, storage.Hash{}, t0))
		}
		session := w.mustSession("one", "ann", after(time.Minute))
		for _, id := range []string{"once", "renewed"} {
			w.mustRedeem(session, "ann", id, after(2*time.Minute))
		}
		unused := func(neverUsed, disused time.Time, want ...string) {
			w.Helper()
			ids, err := w.UnusedClients(w.ctx, neverUsed, disused, 10)
			w.must(err)
			mustEqual(w, "unused clients", ids, want)
		}
		unused(t0, t0)
		unused(after(time.Second), t0, "never")
		w.mustClientToken("token", "renewed", after(3*24*time.Hour), after(4*24*time.Hour))
		w.restart()
		unused(after(time.Second), after(24*time.Hour), "never", "once")
		ids, err := w.UnusedClients(w.ctx, after(time.Second), after(24*time.Hour), 1)
		w.must(err)
		mustEqual(w, "one page", ids, []string{"never"})
	},
	"ActivityOfAClientIsKept": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app", "removed")
		activity := func(client string) storage.ClientActivity {
			w.Helper()
			a, err := w.ClientActivity(w.ctx, client)
			w.must(err)
			return a
		}
		mustEqual(w, "activity of a new client", activity("app"), storage.ClientActivity{})
		refusal := func(d time.Duration, reason string) storage.ClientRefusal {
			return storage.ClientRefusal{At: after(d), Reason: reason, Param: "scope", RequestID: reason}
		}
		first, later := refusal(time.Minute, "first"), refusal(2*time.Minute, "later")
		w.must(w.PutRefusals(w.ctx, map[string]storage.ClientRefusal{"app": later, "removed": first, "unknown": first}))
		w.must(w.PutRefusals(w.ctx, map[string]storage.ClientRefusal{"app": first})) // from a slower replica
		w.mustClientToken("token", "app", after(time.Second), after(time.Hour))      // is no sign-in
		w.restart()
		mustEqual(w, "activity", activity("app"), storage.ClientActivity{LastRefusal: later})
		mustEqual(w, "activity of an unknown client", activity("unknown"), storage.ClientActivity{})
		session := w.mustSession("one", "ann", after(time.Minute))
		w.mustRedeem(session, "ann", "app", after(3*time.Minute))
		w.mustRedeem(session, "ann", "app", after(4*time.Minute))
		want := storage.ClientActivity{FirstSignIn: after(3 * time.Minute), LastRefusal: later}
		mustEqual(w, "activity after a sign-in", activity("app"), want)
		c, err := w.Client(w.ctx, "app")
		w.must(err)
		w.must(w.PutClient(w.ctx, *c))
		mustEqual(w, "activity after a change of the client", activity("app"), want)
		w.mustEnd(storage.Selector{Client: "removed"}, after(time.Hour), storage.Change{RemoveClient: "removed"})
		w.mustClients("removed")
		mustEqual(w, "activity of a client with the id of a removed one", activity("removed"), storage.ClientActivity{})
	},
	"ClientsAreListedByID": func(w *world) {
		w.mustClients("c", "a", "e", "b", "d")
		var ids []string
		list := func(p storage.Page) ([]*storage.Client, string, error) { return w.ListClients(w.ctx, p) }
		for _, c := range pages(w, list) {
			ids = append(ids, c.ClientID)
		}
		mustEqual(w, "ids", ids, []string{"a", "b", "c", "d", "e"})
	},
	"InitialAccessTokenRegistersUpToItsNumberOfUses": func(w *world) {
		token := storage.HashOf("initial")
		w.must(
			w.PutInitialAccessToken(
				w.ctx,
				storage.InitialAccessToken{Hash: token, Name: "ci", Created: t0, Expires: after(1e12), UsesLeft: 3},
			),
		)
		var done atomic.Int32
		var wg sync.WaitGroup
		for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
			wg.Go(func() {
				client := storage.Client{Metadata: storage.Metadata{ClientID: id}}
				switch err := w.RegisterClient(w.ctx, client, token, t0); {
				case err == nil:
					done.Add(1)
				case !errors.Is(err, storage.ErrRevoked):
					w.Error(err)
				}
			})
		}
		wg.Wait()
		mustEqual(w, "registered", done.Load(), 3)
		_, err := w.InitialAccessToken(w.ctx, token, t0)
		w.mustBe(err, storage.ErrNotFound)
		list, err := w.ListInitialAccessTokens(w.ctx)
		w.must(err)
		mustEqual(w, "listed", len(list), 1)
	},
	"RemovedOrExpiredInitialAccessTokenRegistersNothing": func(w *world) {
		token := storage.HashOf("initial")
		c := storage.Client{Metadata: storage.Metadata{ClientID: "app"}}
		w.mustBe(w.RegisterClient(w.ctx, c, token, t0), storage.ErrRevoked)
		w.must(
			w.PutInitialAccessToken(
				w.ctx,
				storage.InitialAccessToken{Hash: token, Name: "ci", Expires: after(1e9), UsesLeft: -1},
			),
		)
		w.mustBe(w.RegisterClient(w.ctx, c, token, after(1e9)), storage.ErrRevoked)
		w.must(w.RegisterClient(w.ctx, c, token, t0))
		w.mustBe(w.RegisterClient(w.ctx, c, token, t0), storage.ErrExists)
		w.must(w.DeleteInitialAccessToken(w.ctx, "ci"))
		w.mustBe(w.DeleteInitialAccessToken(w.ctx, "ci"), storage.ErrNotFound)
		c.ClientID = "open"
		w.must(w.RegisterClient(w.ctx, c, storage.Hash{}, t0))
	},
	"ConsentForARemovedClientDoesNotCountForANewOneWithItsID": func(w *world) {
		w.mustUsers("ann", "bob")
		w.mustClients("app")
		w.must(
			w.PutConsent(
				w.ctx,
				storage.Consent{Subject: "ann", Client: "app", Scope: []string{"openid"}, At: after(1e9)},
			),
		)
		w.mustEnd(
			storage.Selector{Client: "app", IncludeOffline: true},
			after(2e9),
			storage.Change{RemoveClient: "app"},
		)
		_, err := w.Client(w.ctx, "app")
		w.mustBe(err, storage.ErrNotFound)
		w.must(w.PutClient(w.ctx, storage.Client{Metadata: storage.Metadata{ClientID: "app"}, Created: after(3e9)}))
		w.must(w.PutConsent(w.ctx, storage.Consent{Subject: "bob", Client: "app", At: after(4e9)}))
		for range 2 {
			_, err = w.Consent(w.ctx, "bob", "app")
			w.must(err)
			_, err = w.Consent(w.ctx, "ann", "app")
			w.mustBe(err, storage.ErrNotFound)
			list, err := w.ListConsents(w.ctx, "ann")
			w.must(err)
			mustEqual(w, "consents", len(list), 0)
			_, err = w.Sweep(w.ctx, after(4e9), 100)
			w.must(err)
		}
		w.must(w.PutConsent(w.ctx, storage.Consent{Subject: "ann", Client: "app", At: after(5e9)}))
		_, err = w.Sweep(w.ctx, after(6e9), 100)
		w.must(err)
		_, err = w.Consent(w.ctx, "ann", "app")
		w.must(err)
	},
}
