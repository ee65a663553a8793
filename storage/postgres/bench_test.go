package postgres

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// The benchmarks use the store as requests do, from several goroutines, on a server that gives up durability (fsync):
// they show CPU and round trips, not disks.

func BenchmarkTokenLookup(b *testing.B) {
	s := mustReplicas(b, 1)[0]
	mustSignIn(b, s)
	code := newCode("code", 0)
	_, err := s.Redeem(b.Context(), code, start, issue(code))
	must(b, err)
	hash := storage.HashOf("token of code")
	parallel(b, s, func(context.Context, int64) error {
		_, _, err := s.Token(b.Context(), hash, start)
		return err
	})
}

func BenchmarkRedemption(b *testing.B) {
	s := mustReplicas(b, 1)[0]
	mustSignIn(b, s)
	parallel(b, s, func(ctx context.Context, n int64) error {
		code := newCode(fmt.Sprint("code", n), 0)
		_, err := s.Redeem(ctx, code, start, issue(code))
		return err
	})
}

func BenchmarkSignInAndLogout(b *testing.B) {
	s := mustReplicas(b, 1)[0]
	mustSignIn(b, s)
	parallel(b, s, func(ctx context.Context, n int64) error {
		session := newSession(fmt.Sprint("session", n))
		if err := s.CreateSession(ctx, session, storage.Event{At: start, Kind: "session.created"}); err != nil {
			return err
		}
		req := endRequest(storage.Selector{Sessions: []storage.SessionID{session.ID}})
		_, _, err := s.EndSessions(ctx, req, start, 0, nil)
		return err
	})
}

// parallel runs do b.N times, from several goroutines.
func parallel(b *testing.B, s *Store, do func(ctx context.Context, n int64) error) {
	b.Helper()
	var n atomic.Int64
	before, begun := s.RoundTrips(), time.Now()
	b.ReportAllocs()
	b.ResetTimer()
	b.SetParallelism(4)
	b.RunParallel(func(loop *testing.PB) {
		for loop.Next() {
			if err := do(b.Context(), n.Add(1)); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(s.RoundTrips()-before)/float64(b.N), "round-trips/op")
	b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "ops/s")
}
