// Command curfew-load measures the time and CPU that a built curfew needs for each kind of request (Linux only).
//
//	curfew-load [-for 5s] [-connections 16] [-program bin/curfew] [-data folder]
//
// It builds the program unless -program names one, and runs it in a temporary folder with a minimal configuration, on
// a new data folder or on a copy of -data. It signs users in and sends one kind of request after the other over
// persistent connections. The CPU time is that of the server only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/curfew-id/curfew/conformance/op"
)

func main() {
	duration := flag.Duration("for", 5*time.Second, "how long to send each kind of request")
	connections := flag.Int("connections", 16, "how many connections to send over")
	program := flag.String("program", "", "what to measure; built from the sources if empty")
	data := flag.String("data", "", "a data folder to begin with, of a server that was stopped; empty: a new one")
	flag.Parse()
	if err := run(*program, *data, *duration, *connections); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(program, data string, duration time.Duration, connections int) error {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "load")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if program == "" {
		if program, err = op.Build(ctx, folder, false); err != nil {
			return err
		}
	}
	o, err := op.New(program, folder, "localhost", nil)
	if err != nil {
		return err
	}
	if data != "" {
		if err := copyData(data, filepath.Join(folder, "data")); err != nil {
			return err
		}
	}
	if err := o.Start(ctx); err != nil {
		return err
	}
	defer o.Stop()
	server := process(o.PID())
	private, fileBacked := server.memory()
	relyingParties, err := setUp(ctx, o, connections)
	if err != nil {
		return err
	}

	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "request\ta second\tCPU ms\tp50 ms\tp99 ms\t")
	for _, kind := range requestKinds {
		m, err := measure(server, relyingParties, kind.do, duration)
		if err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
		slices.Sort(m.latencies)
		fmt.Fprintf(
			out,
			"%s\t%.0f\t%.3f\t%.2f\t%.2f\t\n",
			kind.name,
			float64(len(m.latencies))/m.elapsed.Seconds(),
			ms(m.cpu)/float64(len(m.latencies)),
			ms(m.latencies[len(m.latencies)/2]),
			ms(m.latencies[len(m.latencies)*99/100]),
		)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	privateNow, fileBackedNow := server.memory()
	fmt.Printf(
		"memory after the start: %d MB and %d MB of files; now: %d MB and %d MB of files\n",
		private>>20,
		fileBacked>>20,
		privateNow>>20,
		fileBackedNow>>20,
	)
	return nil
}

// copyData copies the store and the key file of a data folder.
func copyData(from, to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"curfew.db", "curfew.key"} {
		source, err := os.Open(filepath.Join(from, name))
		if err != nil {
			return err
		}
		defer source.Close()
		copied, err := os.OpenFile(filepath.Join(to, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = copied.ReadFrom(source)
		if err := errors.Join(err, copied.Close()); err != nil {
			return err
		}
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// requestKinds are the kinds of requests, in the order of the measurement.
var requestKinds = []struct {
	name string
	do   func(*relyingParty) error
}{
	{"discovery", func(a *relyingParty) error { _, err := a.get("/.well-known/openid-configuration", ""); return err }},
	{"jwks", func(a *relyingParty) error { _, err := a.get("/jwks", ""); return err }},
	{"client_credentials, JWT", func(a *relyingParty) error {
		_, err := a.post("/token", "job", "grant_type=client_credentials")
		return err
	}},
	{"introspection", func(a *relyingParty) error {
		body, err := a.post("/introspect", "shop", "token="+a.accessToken)
		if err == nil && !strings.HasPrefix(body, `{"active":true`) {
			err = fmt.Errorf("got %s", body)
		}
		return err
	}},
	{"userinfo", func(a *relyingParty) error { _, err := a.get("/userinfo", "Bearer "+a.accessToken); return err }},
	{"refresh", (*relyingParty).refreshTokens},
	{"single sign-on flow and userinfo", func(a *relyingParty) error {
		if err := a.signOn(); err != nil {
			return err
		}
		_, err := a.get("/userinfo", "Bearer "+a.accessToken)
		return err
	}},
	{
		"discovery again",
		func(a *relyingParty) error { _, err := a.get("/.well-known/openid-configuration", ""); return err },
	},
}

// measurement is the result for one kind of request.
type measurement struct {
	latencies []time.Duration
	elapsed   time.Duration
	cpu       time.Duration // of the server
}

// measure sends requests for a duration. All relying parties send at the same time, each one request after the other.
func measure(
	server process,
	relyingParties []*relyingParty,
	do func(*relyingParty) error,
	duration time.Duration,
) (m measurement, err error) {
	var mu sync.Mutex
	var senders sync.WaitGroup
	start := time.Now()
	cpuBefore := server.cpu()
	for _, a := range relyingParties {
		senders.Go(func() {
			var latencies []time.Duration
			var requestErr error
			for requestErr == nil && time.Since(start) < duration {
				sent := time.Now()
				requestErr = do(a)
				latencies = append(latencies, time.Since(sent))
			}
			mu.Lock()
			defer mu.Unlock()
			m.latencies = append(m.latencies, latencies...)
			if requestErr != nil {
				err = requestErr
			}
		})
	}
	senders.Wait()
	m.elapsed = time.Since(start)
	m.cpu = server.cpu() - cpuBefore
	return m, err
}

// setUp adds a user and two clients. It returns n relying parties, each with a signed-in browser.
func setUp(ctx context.Context, o *op.OP, n int) (list []*relyingParty, err error) {
	if err := o.AddUser(ctx, "alice", password); err != nil {
		return nil, err
	}
	for _, id := range []string{"shop", "job"} {
		metadata := map[string]any{
			"client_id":     id,
			"client_secret": secret,
			"client_name":   id,
			"redirect_uris": []string{callback},
			"grant_types": []string{
				"authorization_code",
				"refresh_token",
				"client_credentials",
			},
			"id_token_signed_response_alg": "ES256",
			"consent":                      "skip",
		}
		if id == "job" {
			metadata["access_token_format"] = "jwt"
		}
		if err := o.AddClient(ctx, metadata); err != nil {
			return nil, err
		}
	}
	for range n {
		browser, err := op.NewBrowser(&http.Transport{MaxIdleConnsPerHost: 1})
		if err != nil {
			return nil, err
		}
		browser.HTTP.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(req.URL.String(), callback) {
				return http.ErrUseLastResponse
			}
			return nil
		}
		a := &relyingParty{issuer: o.Issuer, http: browser.HTTP}
		if _, err := browser.SignIn(a.issuer+authorize, "alice", password); err != nil {
			return nil, err
		}
		if err := a.signOn(); err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}
