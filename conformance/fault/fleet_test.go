//go:build linux

package fault

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-id/curfew/conformance/op"
)

// fleet is several replicas on one database behind a balancer. The world's issuer is the balancer.
type fleet struct {
	*world
	balancer *balancer
	replicas []*replica
	space    *namespace // of the last replica; nil where that takes more rights
	wide     wideEnds   // guarded by the history's mutex
	userOf   map[int]string
	crowds   []*crowd
}

// replica is one server, and the address at which the balancer finds it.
type replica struct {
	*op.OP
	address string
	folder  string // of its data
}

// mustStartFleet starts replicas on the database that databaseURL returns for a host that leads to it.
func mustStartFleet(t testing.TB, n int, databaseURL func(host string) string, ports ...int) *fleet {
	t.Helper()
	folder, err := os.MkdirTemp("", "fleet") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	f := &fleet{balancer: mustServeBalancer(t), space: mustNamespace(t), userOf: map[int]string{}}
	partiesAt := "127.0.0.1"
	if f.space != nil {
		partiesAt = f.space.prefix + requestsHost
		for _, port := range ports {
			f.space.mustRelay(port)
		}
	}
	f.world = &world{
		t:       t,
		folder:  folder,
		history: newHistory(),
		parties: mustServePartiesAt(t, partiesAt),
		client:  &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
	}
	t.Cleanup(f.client.CloseIdleConnections)
	for i := range n {
		f.mustAddReplica(i, i == n-1 && f.space != nil, databaseURL)
	}
	first := f.replicas[0]
	f.op = &op.OP{Program: first.Program, Config: first.Config, Issuer: f.balancer.url}
	for _, r := range f.replicas { // one after the other: the first makes the key file
		f.mustStart(r)
	}
	f.mustPopulateFleet()
	return f
}

func (f *fleet) mustAddReplica(i int, apart bool, databaseURL func(host string) string) {
	f.t.Helper()
	folder := filepath.Join(f.folder, fmt.Sprint("r", i))
	if err := os.Mkdir(folder, 0o700); err != nil {
		f.t.Fatal(err)
	}
	program, host, listenAt := mustBuild(f.t), "127.0.0.1", "127.0.0.1"
	trusted := []string{"127.0.0.1/32"}
	egressTo := []string{"127.0.0.0/8"}
	if f.space != nil {
		egressTo = append(egressTo, f.space.prefix+".0/24")
	}
	if apart {
		program, host, listenAt = f.space.mustWrap(folder, program), f.space.prefix+databaseHost, f.space.address()
		trusted = append(trusted, f.space.prefix+requestsHost+"/32")
	}
	port, err := op.FreePort()
	if err != nil {
		f.t.Fatal(err)
	}
	o, err := op.New(program, folder, "localhost", map[string]any{
		"issuer":          f.balancer.url,
		"listen":          listenAt + ":" + port,
		"key_file":        filepath.Join(f.folder, "key"),
		"trusted_proxies": trusted,
		"egress":          map[string]any{"allow": egressTo},
		"store":           map[string]any{"url": databaseURL(host)},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	r := &replica{OP: o, address: "http://" + listenAt + ":" + port, folder: mustDataFolder(f.t, o)}
	at, err := url.Parse(r.address)
	if err != nil {
		f.t.Fatal(err)
	}
	f.balancer.replicas = append(f.balancer.replicas, at)
	f.replicas = append(f.replicas, r)
	f.t.Cleanup(func() {
		r.resume()
		r.Kill()
		if f.t.Failed() {
			f.t.Logf("the last lines of the log of replica %d:\n%s", i, tail(r.Log.String(), 3000))
		}
	})
}

// mustPopulateFleet adds the users and the clients.
func (f *fleet) mustPopulateFleet() {
	f.t.Helper()
	for i := range rounds(10, 30) {
		f.mustAddUser(fmt.Sprintf("user%d", i))
	}
	for _, id := range clients {
		f.mustAddClient(id, f.parties.url(id), map[string]any{"allow_http": true})
	}
}

// mustStart starts a replica and waits until it is ready.
func (f *fleet) mustStart(r *replica) {
	f.t.Helper()
	if err := r.Launch(); err != nil {
		f.t.Fatal(err)
	}
	f.mustBeReady(60*time.Second, r)
}

// mustBeReady waits until replicas are ready, and returns how long that took.
func (f *fleet) mustBeReady(most time.Duration, list ...*replica) time.Duration {
	f.t.Helper()
	begun := time.Now()
	for _, r := range list {
		for !f.ready(r) {
			if time.Since(begun) > most {
				f.t.Fatalf("the replica at %s is not ready after %v\n%s", r.address, most, tail(r.Log.String(), 3000))
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return time.Since(begun)
}

func (f *fleet) ready(r *replica) bool {
	response, err := (&http.Client{Transport: f.client, Timeout: 2 * time.Second}).Get(r.address + "/readyz")
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// pause stops the process without ending it: it does not notice that time passes.
func (r *replica) pause() error { return syscall.Kill(r.PID(), syscall.SIGSTOP) }

func (r *replica) resume() {
	if r.Running() {
		_ = syscall.Kill(r.PID(), syscall.SIGCONT) // it may have ended
	}
}

// admin calls the administrators' API of any replica.
func (f *fleet) admin(method, path string, body any) error {
	_, err := adminAt(f.any().folder, balancerTimeout, method, path, body)
	return err
}

// endWidely runs a request that ends all sessions of a user, or of all users without one, and notes it.
func (f *fleet) endWidely(user, what, path string, body any) result {
	e := wideEnd{user: user, what: what, start: time.Since(f.history.began)}
	if err := f.admin(http.MethodPost, path, body); err != nil {
		e.result = unknown
	}
	e.end = time.Since(f.history.began)
	f.history.mu.Lock()
	defer f.history.mu.Unlock()
	f.wide.ends = append(f.wide.ends, e)
	return e.result
}

// disable disables a user, sees that the user cannot sign in, and enables the user again.
func (f *fleet) disable(user string) {
	if f.endWidely(user, "disabling the user", "/users/"+user+"/disable", nil) == accepted {
		v := f.newVisitor()
		if v.attemptSignIn(user) == accepted {
			f.t.Errorf("%s signed in after the user had been disabled", user)
		}
	}
	for attempt := 0; attempt < 100; attempt++ {
		if f.admin(http.MethodPost, "/users/"+user+"/enable", nil) == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// attemptSignIn is signIn that does not enter the history.
func (v *visitor) attemptSignIn(user string) result {
	own := *v.w
	own.history = newHistory()
	other := *v
	other.w = &own
	return other.signIn(user)
}

// redeemTwice redeems a new code at two replicas at the same time. One of them is refused, and revokes the grant.
func (v *visitor) redeemTwice(client string) {
	code, r := v.silent(client)
	if r != accepted {
		return
	}
	second := *v
	second.tokens = map[string]*tokenSet{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		second.redeem(client, code)
	}()
	v.redeem(client, code)
	<-done
	delete(v.tokens, client)
}

// refreshTwice presents a refresh token at two replicas at the same time. Both must get the same successor.
func (v *visitor) refreshTwice(client string) error {
	set := v.tokens[client]
	if set == nil || set.refresh == "" {
		return nil
	}
	first, second := *v, *v
	one, two := *set, *set
	first.tokens, second.tokens = map[string]*tokenSet{client: &one}, map[string]*tokenSet{client: &two}
	done := make(chan result)
	go func() { done <- second.refresh(client) }()
	a, b := first.refresh(client), <-done
	if a == accepted && b == accepted && one.refresh != two.refresh {
		return errors.New("one refresh token was exchanged for two different ones")
	}
	switch {
	case a == unknown || b == unknown:
		set.refresh = ""
	case a == accepted:
		*set = one
	case b == accepted:
		*set = two
	}
	return nil
}

// panics returns the lines of the replicas' logs that speak of a panic.
func (f *fleet) panics() (lines []string) {
	for _, r := range f.replicas {
		for line := range strings.Lines(r.Log.String()) {
			if strings.Contains(line, "panic") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines
}
