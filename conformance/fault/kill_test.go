// Package fault tests what a crash leaves: a built server is killed at bad moments and started again.
package fault

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/conformance/op"
	"github.com/curfew-id/curfew/conformance/rp"
)

const (
	password = "correct horse battery staple"
	secret   = "0123456789abcdef0123456789abcdef"
	// deliveryTimeout is well below the 20 seconds for which a process keeps to itself what it is delivering.
	deliveryTimeout = 12 * time.Second
)

// relyingParty is a toy client on a port of its own.
type relyingParty struct {
	*rp.App
	url    string
	server *http.Server
}

func mustServe(t *testing.T, o *op.OP, name string) *relyingParty {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a := &relyingParty{url: "http://" + name + ".localhost:" + port}
	a.App = rp.New(
		rp.Config{Name: name, URL: a.url, Issuer: o.Issuer, ClientID: name, ClientSecret: secret, BackChannel: true},
	)
	a.server = &http.Server{Handler: a.App}
	go a.server.Serve(l) // until Close
	t.Cleanup(func() { a.server.Close() })
	if err := o.AddClient(t.Context(), a.Metadata()); err != nil {
		t.Fatal(err)
	}
	return a
}

// tokensReceived counts the logout tokens that were taken here.
func (a *relyingParty) tokensReceived() int {
	n := 0
	for _, message := range a.Messages() {
		if message.Channel == "backchannel" && message.Answer == http.StatusOK {
			n++
		}
	}
	return n
}

// delivery is what the command line says of one.
type delivery struct {
	Client   string `json:"client"`
	State    string `json:"state"`
	Attempts int    `json:"attempts"`
}

func mustDeliveries(t *testing.T, o *op.OP) map[string]delivery {
	t.Helper()
	out, err := o.Run(t.Context(), "", "logout", "deliveries", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var list []delivery
	decoder := json.NewDecoder(strings.NewReader(out))
	for decoder.More() {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		var many []delivery
		if json.Unmarshal(raw, &many) == nil {
			list = append(list, many...)
			continue
		}
		var one delivery
		if err := json.Unmarshal(raw, &one); err != nil {
			t.Fatalf("got %s: %v", raw, err)
		}
		list = append(list, one)
	}
	of := map[string]delivery{}
	for _, d := range list {
		if of[d.Client].State != "done" {
			of[d.Client] = d
		}
	}
	return of
}

// TestKillBetweenTerminationAndDeliveryLosesNothing: the browser has its answer, the process is killed before any
// relying party was notified, and starts again on the same store. It notifies the relying parties that answer at
// once, keeps the delivery to the one that does not, and the session stays ended.
func TestKillBetweenTerminationAndDeliveryLosesNothing(t *testing.T) {
	beside(t)
	folder, err := os.MkdirTemp("", "kill") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	o, err := op.New(mustBuild(t), folder, "op.localhost", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Kill)
	if err := o.AddUser(ctx, "ada", password); err != nil {
		t.Fatal(err)
	}
	atlas, birch, cedar := mustServe(t, o, "atlas"), mustServe(t, o, "birch"), mustServe(t, o, "cedar")
	v, err := op.NewBrowser(rp.LocalClient().Transport)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []*relyingParty{atlas, birch, cedar} {
		if p, err := v.SignIn(a.url+"/login", "ada", password); err != nil ||
			!strings.Contains(p.Body, `data-signed-in="true"`) {
			t.Fatalf("got %v, not signed in at %s:\n%s", err, a.url, p.Body)
		}
		a.SetBehaviour(rp.Slow) // no relying party has answered when the process is killed
	}
	if err := cedar.server.Close(); err != nil { // and one cannot be reached at all
		t.Fatal(err)
	}
	p, err := v.Get(atlas.url + "/logout")
	if err != nil || !strings.Contains(p.Body, `id="signed-out"`) {
		t.Fatalf("got %v, want the signed-out page:\n%s", err, p.Body)
	}
	o.Kill()
	leased := time.After(deliveryTimeout)
	if n := atlas.tokensReceived() + birch.tokensReceived() + cedar.tokensReceived(); n != 0 {
		t.Fatalf("got %d logout tokens received before the kill, want none: the test shows nothing", n)
	}

	atlas.SetBehaviour(rp.Normal)
	birch.SetBehaviour(rp.Normal)
	if err := o.Start(ctx); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for atlas.tokensReceived() == 0 || birch.tokensReceived() == 0 {
		select {
		case <-ctx.Done():
			t.Fatalf(
				"got atlas notified %d times and birch %d, want both notified after the restart\n%s",
				atlas.tokensReceived(),
				birch.tokensReceived(),
				o.Log.String(),
			)
		case <-leased:
			t.Fatalf(
				"got atlas notified %d times and birch %d by the end of the killed process's leases, want both notified at once\n%s",
				atlas.tokensReceived(),
				birch.tokensReceived(),
				o.Log.String(),
			)
		case <-tick.C:
		}
	}
	if p, err := v.Get(birch.url + "/login?prompt=none"); err != nil || !strings.Contains(p.Body, "login_required") {
		t.Errorf("got %v, want the session ended for good:\n%s", err, p.Body)
	}
	for {
		of := mustDeliveries(t, o)
		if of["atlas"].State == "done" && of["birch"].State == "done" && of["cedar"].State == "pending" &&
			of["cedar"].Attempts > 0 {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("got %+v, want atlas and birch done, cedar pending", of)
		case <-tick.C:
		}
	}
}
