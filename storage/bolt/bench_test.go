package bolt

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

var benchStart = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

// benchStore is a store with one user and so many clients.
func benchStore(b *testing.B, clients int) *Store {
	b.Helper()
	s := mustOpen(b, Options{Path: filepath.Join(b.TempDir(), "curfew.db")})
	must(b, s.PutUser(b.Context(), storage.User{
		Subject: "ann",
		Name:    "ann",
		Claims:  map[string]any{"given_name": "Ann", "family_name": "Example"},
	}))
	for i := range clients {
		must(
			b,
			s.PutClient(
				b.Context(),
				storage.Client{
					Metadata: storage.Metadata{
						ClientID:             fmt.Sprint("app", i),
						BackchannelLogoutURI: "https://app.example/logout",
					},
				},
			),
		)
	}
	return s
}

// benchSession begins a session.
func benchSession(b *testing.B, s *Store, id string) storage.SessionID {
	must(b, s.CreateSession(b.Context(), storage.Session{
		ID:          storage.SessionID(id),
		SecretHash:  storage.HashOf(id),
		Subject:     "ann",
		AuthTime:    benchStart,
		Created:     benchStart,
		LastActive:  benchStart,
		IdleTimeout: 8 * time.Hour,
		Expires:     benchStart.Add(24 * time.Hour),
		UserAgent:   "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
		Address:     "192.0.2.1",
	}, storage.Event{At: benchStart, Kind: "session.created", Subject: "ann"}))
	return storage.SessionID(id)
}

// benchID is as random as the ids in use, and the same again.
func benchID(session storage.SessionID, client string, n int64) string {
	return storage.HashOf(fmt.Sprint(session, client, n)).String()[:22]
}

// benchRedeem redeems the n-th code of a session.
func benchRedeem(ctx context.Context, s *Store, session storage.SessionID, client string, n int64) error {
	id := benchID(session, client, n)
	code := storage.Code{
		ID:      id,
		Client:  client,
		Subject: "ann",
		Session: session,
		SID:     "sid-" + id,
		Issued:  benchStart,
		Expires: benchStart.Add(time.Minute),
	}
	_, err := s.Redeem(
		ctx,
		code,
		benchStart.Add(time.Second),
		func(session storage.Session, m storage.ClientSession) (storage.Issuance, error) {
			return storage.Issuance{
				Grant: storage.Grant{
					ID:          id,
					Session:     session.ID,
					Scope:       []string{"openid", "profile", "email"},
					AuthTime:    session.AuthTime,
					Created:     benchStart,
					LastUsed:    benchStart,
					Expires:     session.Expires,
					RefreshHash: storage.HashOf("refresh-" + id),
				},
				Tokens: []storage.Token{
					{
						Hash:    storage.HashOf("token-" + id),
						SID:     m.SID,
						Scope:   []string{"openid", "profile", "email"},
						Issued:  benchStart,
						Expires: benchStart.Add(time.Hour),
					},
				},
				Trust: storage.TokenExpiry{
					Opaque:      benchStart.Add(time.Hour),
					IDToken:     benchStart.Add(10 * time.Minute),
					LastIDToken: benchStart,
				},
			}, nil
		},
	)
	return err
}

// benchCallers runs do b.N times from so many callers and reports commits for each.
func benchCallers(b *testing.B, s *Store, callers int, do func(ctx context.Context, n int64) error) {
	b.Helper()
	var n atomic.Int64
	before := s.Commits()
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				if err := do(b.Context(), i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(s.Commits()-before)/float64(b.N), "commits/op")
}

func BenchmarkRedeem(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			s := benchStore(b, 1)
			var ids []storage.SessionID
			for i := range 100 {
				ids = append(ids, benchSession(b, s, fmt.Sprint("s", i)))
			}
			benchCallers(b, s, callers, func(ctx context.Context, n int64) error {
				return benchRedeem(ctx, s, ids[n%100], "app0", n)
			})
		})
	}
}

func BenchmarkRefresh(b *testing.B) {
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			s := benchStore(b, 1)
			families := make(chan string, callers)
			for i := range callers {
				id := benchSession(b, s, fmt.Sprint("s", i))
				must(b, benchRedeem(b.Context(), s, id, "app0", 1))
				families <- "refresh-" + benchID(id, "app0", 1)
			}
			benchCallers(b, s, callers, func(ctx context.Context, n int64) error {
				token := <-families
				next := fmt.Sprint("r", n)
				_, err := s.Refresh(
					ctx,
					storage.RefreshRequest{
						Token:    storage.HashOf(token),
						NewToken: storage.HashOf(next),
						Client:   "app0",
					},
					benchStart.Add(time.Minute),
					func(g storage.Grant, _ *storage.Session) (storage.Issuance, error) {
						return storage.Issuance{
							Grant: g,
							Tokens: []storage.Token{
								{Hash: storage.HashOf("t" + next), SID: g.SID, Expires: benchStart.Add(time.Hour)},
							},
						}, nil
					},
				)
				families <- next
				return err
			})
		})
	}
}

func BenchmarkToken(b *testing.B) {
	s := benchStore(b, 1)
	id := benchSession(b, s, "s")
	must(b, benchRedeem(b.Context(), s, id, "app0", 1))
	hash := storage.HashOf("token-" + benchID(id, "app0", 1))
	benchCallers(b, s, 16, func(ctx context.Context, _ int64) error {
		_, _, err := s.Token(ctx, hash, benchStart.Add(time.Minute))
		return err
	})
}

func BenchmarkSessionBySecret(b *testing.B) {
	s := benchStore(b, 3)
	id := benchSession(b, s, "s")
	for i := range 3 {
		must(b, benchRedeem(b.Context(), s, id, fmt.Sprint("app", i), 1))
	}
	benchCallers(b, s, 16, func(ctx context.Context, _ int64) error {
		_, err := s.SessionBySecret(ctx, storage.HashOf("s"), benchStart.Add(time.Minute))
		return err
	})
}

func BenchmarkEndSessions(b *testing.B) {
	for _, members := range []int{1, 10, 100} {
		b.Run(fmt.Sprint("members=", members), func(b *testing.B) {
			s := benchStore(b, members)
			var ids []storage.SessionID
			var wg sync.WaitGroup
			for i := range b.N {
				ids = append(ids, benchSession(b, s, fmt.Sprint("s", i)))
				for c := range members {
					wg.Go(func() {
						if err := benchRedeem(b.Context(), s, ids[i], fmt.Sprint("app", c), 1); err != nil {
							b.Error(err)
						}
					})
				}
				wg.Wait()
			}
			benchCallers(b, s, 1, func(ctx context.Context, n int64) error {
				ended, _, err := s.EndSessions(ctx, storage.EndRequest{
					Selector: storage.Selector{Sessions: ids[n-1 : n]},
					Cause:    storage.Cause{ID: "x", Reason: storage.ReasonLogout},
				}, benchStart.Add(time.Minute), 0, benchPlan)
				if err == nil && len(ended) != 1 {
					err = fmt.Errorf("ended %d", len(ended))
				}
				return err
			})
		})
	}
}

// benchPlan plans a report and a delivery for each member.
func benchPlan(e storage.Termination) storage.Plan {
	r := &storage.Report{
		ID:           "r-" + string(e.Session.ID),
		Cause:        e.Cause,
		Subject:      "ann",
		EndedAt:      e.EndedAt,
		WholeSession: e.WholeSession,
		DeleteAfter:  e.EndedAt.Add(30 * 24 * time.Hour),
	}
	p := storage.Plan{Report: r}
	for _, m := range e.Session.ClientSessions {
		r.Entries = append(r.Entries, storage.ReportEntry{
			Kind:     "client_session",
			Client:   m.Client,
			Channels: []string{"backchannel"},
			Trust:    storage.TrustUnknown,
			Delivery: storage.DeliveryPending,
		})
		p.Deliveries = append(p.Deliveries, storage.Delivery{
			ID: r.ID + "-" + m.SID, Report: r.ID, Client: m.Client, URI: "https://app.example/logout", Host: "app.example:443", Subject: "ann", SID: m.SID,
			Alg:         "ES256",
			Created:     e.EndedAt,
			NextAttempt: e.EndedAt,
			GiveUpAt:    e.EndedAt.Add(24 * time.Hour),
			State:       storage.DeliveryPending,
		})
	}
	return p
}

// BenchmarkDeliveries claims and settles in the portions of a dispatcher; one operation is one delivery.
func BenchmarkDeliveries(b *testing.B) {
	const members = 10
	s := benchStore(b, members)
	ctx := b.Context()
	for i := range (b.N + members - 1) / members {
		id := benchSession(b, s, fmt.Sprint("s", i))
		for c := range members {
			must(b, benchRedeem(ctx, s, id, fmt.Sprint("app", c), 1))
		}
		if _, _, err := s.EndSessions(ctx, storage.EndRequest{
			Selector: storage.Selector{Sessions: []storage.SessionID{id}},
			Cause:    storage.Cause{ID: "x"},
		}, benchStart.Add(time.Minute), 0, benchPlan); err != nil {
			b.Fatal(err)
		}
	}
	before := s.Commits()
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; {
		list, err := s.ClaimDeliveries(ctx, benchStart.Add(2*time.Minute), 30*time.Second, 64, nil)
		must(b, err)
		var out []storage.DeliveryOutcome
		for _, d := range list {
			out = append(out, storage.DeliveryOutcome{
				ID:     d.ID,
				Lease:  d.Lease,
				State:  storage.DeliveryDone,
				Answer: storage.Answer{Status: 200},
				UpdateEntry: func(r storage.ReportEntry) storage.ReportEntry {
					r.Delivery, r.Trust = storage.DeliveryDone, storage.TrustConfirmed
					return r
				},
			})
		}
		stale, err := s.RecordOutcomes(ctx, out)
		must(b, err)
		if len(list) == 0 || len(stale) > 0 {
			b.Fatalf("claimed %d, stale %d", len(list), len(stale))
		}
		done += len(list)
	}
	b.ReportMetric(float64(s.Commits()-before)/float64(b.N), "commits/op")
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
