// Command curfew-load measures a built curfew from outside: what the server's process uses for each kind of request (Linux only).
//
//	curfew-load [-for 5s] [-connections 16] [-program bin/curfew] [-data folder]
//
// It builds the program unless it is told one, runs it in a temporary folder with the configuration that an operator begins with, on a new
// data folder or on a copy of one that other sessions fill already, signs people in, and sends one kind of request after the other over kept
// connections. CPU is that of the server alone.
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
	each := flag.Duration("for", 5*time.Second, "how long to send each kind of request")
	connections := flag.Int("connections", 16, "how many connections to send over")
	program := flag.String("program", "", "what to measure; built from the sources if empty")
	data := flag.String("data", "", "a data folder to begin with, of a server that was stopped; empty: a new one")
	flag.Parse()
	if err := run(*program, *data, *each, *connections); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(program, data string, each time.Duration, connections int) error {
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
	own, files := server.memory()
	applications, err := join(ctx, o, connections)
	if err != nil {
		return err
	}

	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "request\ta second\tCPU ms\tp50 ms\tp99 ms\t")
	for _, kind := range kinds {
		m, err := measure(server, applications, kind.do, each)
		if err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
		slices.Sort(m.took)
		fmt.Fprintf(out, "%s\t%.0f\t%.3f\t%.2f\t%.2f\t\n", kind.name, float64(len(m.took))/m.lasted.Seconds(), ms(m.cpu)/float64(len(m.took)),
			ms(m.took[len(m.took)/2]), ms(m.took[len(m.took)*99/100]))
	}
	if err := out.Flush(); err != nil {
		return err
	}
	ownNow, filesNow := server.memory()
	fmt.Printf("memory after the start: %d MB and %d MB of files; now: %d MB and %d MB of files\n", own>>20, files>>20, ownNow>>20, filesNow>>20)
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

// kinds are the requests, in order.
var kinds = []struct {
	name string
	do   func(*application) error
}{
	{"discovery", func(a *application) error { _, err := a.get("/.well-known/openid-configuration", ""); return err }},
	{"jwks", func(a *application) error { _, err := a.get("/jwks", ""); return err }},
	{"client_credentials, JWT", func(a *application) error {
		_, err := a.post("/token", "job", "grant_type=client_credentials")
		return err
	}},
	{"introspection", func(a *application) error {
		body, err := a.post("/introspect", "shop", "token="+a.access)
		if err == nil && !strings.HasPrefix(body, `{"active":true`) {
			err = fmt.Errorf("got %s", body)
		}
		return err
	}},
	{"userinfo", func(a *application) error { _, err := a.get("/userinfo", "Bearer "+a.access); return err }},
	{"refresh", (*application).renew},
	{"single sign-on flow and userinfo", func(a *application) error {
		if err := a.flow(); err != nil {
			return err
		}
		_, err := a.get("/userinfo", "Bearer "+a.access)
		return err
	}},
	{"discovery again", func(a *application) error { _, err := a.get("/.well-known/openid-configuration", ""); return err }},
}

// measurement is what one kind of request came to.
type measurement struct {
	took        []time.Duration
	lasted, cpu time.Duration
}

// measure sends requests of every application, one after the other each.
func measure(server process, applications []*application, do func(*application) error, lasting time.Duration) (m measurement, err error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	begun, before := time.Now(), server.cpu()
	for _, a := range applications {
		all.Go(func() {
			var took []time.Duration
			var failed error
			for failed == nil && time.Since(begun) < lasting {
				sent := time.Now()
				failed = do(a)
				took = append(took, time.Since(sent))
			}
			mu.Lock()
			defer mu.Unlock()
			if m.took = append(m.took, took...); failed != nil {
				err = failed
			}
		})
	}
	all.Wait()
	m.lasted, m.cpu = time.Since(begun), server.cpu()-before
	return m, err
}

// join adds the user and the applications, and signs in as many browsers.
func join(ctx context.Context, o *op.OP, n int) (list []*application, err error) {
	if err := o.AddUser(ctx, "alice", password); err != nil {
		return nil, err
	}
	for _, id := range []string{"shop", "job"} {
		metadata := map[string]any{"client_id": id, "client_secret": secret, "client_name": id, "redirect_uris": []string{callback},
			"grant_types": []string{"authorization_code", "refresh_token", "client_credentials"}, "id_token_signed_response_alg": "ES256", "consent": "skip"}
		if id == "job" {
			metadata["access_token_format"] = "jwt"
		}
		if err := o.AddClient(ctx, metadata); err != nil {
			return nil, err
		}
	}
	for range n {
		visitor, err := op.NewVisitor(&http.Transport{MaxIdleConnsPerHost: 1})
		if err != nil {
			return nil, err
		}
		visitor.HTTP.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(req.URL.String(), callback) {
				return http.ErrUseLastResponse
			}
			return nil
		}
		a := &application{issuer: o.Issuer, http: visitor.HTTP}
		if _, err := visitor.SignIn(a.issuer+authorize, "alice", password); err != nil {
			return nil, err
		}
		if err := a.flow(); err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}
