package logout

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

// benchClients are relying parties on this machine that answer 200, and a dispatcher that signs by ES256.
type benchClients struct {
	store        *bolt.Store
	dispatcher   *Dispatcher
	terminator   *Terminator
	clients      []string
	received     atomic.Int64
	lastReceived atomic.Int64 // when a relying party last received something
	all          chan struct{}
	want         int64
}

func newBenchClients(b *testing.B, hosts int) *benchClients {
	b.Helper()
	store, err := bolt.Open(bolt.Options{Path: filepath.Join(b.TempDir(), "curfew.db")})
	if err != nil {
		b.Fatal(err)
	}
	s := &benchClients{store: store, all: make(chan struct{}, 1)}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"logout+jwt","kid":"k"}`))
	signES256 := func(_ context.Context, _ storage.Delivery, _ string, _, _ time.Time, claims map[string]any) (string, error) {
		text, err := json.Marshal(claims)
		if err != nil {
			return "", err
		}
		signed := head + "." + base64.RawURLEncoding.EncodeToString(text)
		sum := sha256.Sum256([]byte(signed))
		r, v, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			return "", err
		}
		return signed + "." + base64.RawURLEncoding.EncodeToString(
			v.FillBytes(r.FillBytes(make([]byte, 64))[32:64]),
		), nil
	}
	transport := &http.Transport{MaxIdleConnsPerHost: maxPerHost, DisableCompression: true}
	client := &http.Client{Transport: transport}
	post := func(ctx context.Context, d storage.Delivery, form url.Values) (Response, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URI, strings.NewReader(form.Encode()))
		if err != nil {
			return Response{}, err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := client.Do(req)
		if err != nil {
			return Response{}, err
		}
		resp.Body.Close()
		return Response{Status: resp.StatusCode}, nil
	}
	s.dispatcher = &Dispatcher{
		Store:  store,
		Sign:   signES256,
		Post:   post,
		Now:    time.Now,
		Issuer: issuer,
		Log:    discardLog(),
	}
	s.dispatcher.Observer.OnDeliveryFinished = func(_ string, state storage.DeliveryState, _ bool) {
		if state != storage.DeliveryDone {
			b.Errorf("a delivery is %s", state)
		}
		if s.received.Add(1) == s.want {
			s.all <- struct{}{}
		}
	}
	s.terminator = &Terminator{
		Store:  store,
		Now:    time.Now,
		Wake:   s.dispatcher.Wake,
		Behind: s.dispatcher.Behind,
		Issuer: issuer,
		Log:    discardLog(),
	}
	no := false
	ctx := context.Background()
	if err := store.PutUser(ctx, storage.User{Subject: "u", Name: "ada", Created: time.Now()}); err != nil {
		b.Fatal(err)
	}
	for i := range hosts {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			s.lastReceived.Store(time.Now().UnixNano())
		}))
		b.Cleanup(server.Close)
		id := fmt.Sprint("rp", i)
		m := storage.Metadata{
			ClientID:                 id,
			BackchannelLogoutURI:     server.URL + "/bcl",
			Renotify:                 &no,
			IDTokenSignedResponseAlg: "ES256",
		}
		if err := store.PutClient(ctx, storage.Client{Metadata: m, Created: time.Now()}); err != nil {
			b.Fatal(err)
		}
		s.clients = append(s.clients, id)
	}
	stop, stopped := run(s.dispatcher.Run), run(s.terminator.Run)
	b.Cleanup(func() {
		stop()
		stopped()
		transport.CloseIdleConnections()
		store.Close()
	})
	return s
}

// sessions begins n sessions of all clients.
func (s *benchClients) sessions(b *testing.B, n int) {
	b.Helper()
	ctx, now := context.Background(), time.Now()
	sequence, err := s.store.Sequence(ctx)
	if err != nil {
		b.Fatal(err)
	}
	var all sync.WaitGroup
	room := make(chan struct{}, 128)
	for range n {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			session := storage.Session{
				ID:          storage.SessionID(rand.Text()),
				SecretHash:  storage.HashOf(rand.Text()),
				Sequence:    sequence,
				Subject:     "u",
				AuthTime:    now,
				Created:     now,
				LastActive:  now,
				IdleTimeout: 8 * time.Hour,
				Expires:     now.Add(24 * time.Hour),
			}
			if err := s.store.CreateSession(ctx, session, storage.Event{At: now, Kind: "session.created"}); err != nil {
				b.Error(err)
			}
			for _, c := range s.clients {
				code := storage.Code{
					ID:       rand.Text(),
					Client:   c,
					Subject:  "u",
					Session:  session.ID,
					SID:      rand.Text(),
					Sequence: sequence,
					Issued:   now,
					Expires:  now.Add(time.Hour),
				}
				issue := func(storage.Session, storage.ClientSession) (storage.Issuance, error) { return storage.Issuance{}, nil }
				if _, err := s.store.Redeem(ctx, code, now, issue); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// end ends everything, waits until the answers of all clients of n sessions are recorded, and returns how long after
// the commit the last of them was reached.
func (s *benchClients) end(b *testing.B, n int) time.Duration {
	b.Helper()
	s.received.Store(0)
	s.want = int64(n * len(s.clients))
	everyone := storage.EndRequest{
		Selector: storage.Selector{AllUsers: true},
		Cause:    storage.Cause{Reason: storage.ReasonAdmin, By: "admin"},
	}
	if _, err := s.terminator.End(context.Background(), everyone); err != nil {
		b.Fatal(err)
	}
	committed := time.Now().UnixNano()
	<-s.all
	return time.Duration(s.lastReceived.Load() - committed)
}

// BenchmarkBulkLogout ends as many sessions as there are iterations, each with three relying parties.
func BenchmarkBulkLogout(b *testing.B) {
	s := newBenchClients(b, 3)
	s.sessions(b, b.N)
	commits := s.store.Commits()
	b.ResetTimer()
	s.end(b, b.N)
	b.StopTimer()
	b.ReportMetric(float64(3*b.N)/b.Elapsed().Seconds(), "notified/s")
	b.ReportMetric(float64(s.store.Commits()-commits)/float64(b.N), "commits/op")
}

// BenchmarkFanOut ends a session of that many relying parties, each on a host of its own, until the last one's answer
// is recorded.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newBenchClients(b, n)
			var reached time.Duration
			for range b.N {
				b.StopTimer()
				s.sessions(b, 1)
				b.StartTimer()
				reached += s.end(b, 1)
			}
			b.ReportMetric(float64(reached.Microseconds())/1000/float64(b.N), "ms-to-last/op")
		})
	}
}
