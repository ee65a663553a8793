package upstream_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/storage"
)

// mustReport returns the estimate of the only report of a node.
func (n *node) mustReport(t *testing.T) logout.Estimate {
	t.Helper()
	reports, _, err := n.Store.ListReports(t.Context(), storage.ReportFilter{}, storage.Page{})
	if err != nil || len(reports) != 1 {
		t.Fatalf("got %d reports, %v, want 1", len(reports), err)
	}
	return logout.AssessReport(reports[0], reports[0].EndedAt)
}

// TestSessionExpiryComposesOverTheChain: the first provider limits the session of the second one, whose session_expiry
// limits the third one. The estimate there names that bound.
func TestSessionExpiryComposesOverTheChain(t *testing.T) {
	nodes := mustChain(t, "top", "middle", "bottom")
	nodes[0].MustChangeClient("middle", func(c *storage.Client) { c.SessionExpiry = 1800 })
	nodes[1].MustChangeClient("bottom", func(c *storage.Client) { c.SessionExpiry = 7200 })
	a := nodes[2].mustAddApp(t, "shop")
	nodes[2].MustChangeClient("shop", func(c *storage.Client) { c.SessionExpiry = 600 })
	newVisitor(t, nodes).mustSignIn(nodes, a)
	middle, bottom := nodes[1].sessions(t)[0], nodes[2].sessions(t)[0]
	if bottom.Expires.After(middle.Expires) {
		t.Errorf("got a session until %v behind one until %v", bottom.Expires, middle.Expires)
	}
	var view admin.Session
	body := nodes[2].MustAdmin(http.MethodGet, "/sessions/"+string(bottom.ID), "").Body
	if err := json.Unmarshal([]byte(body), &view); err != nil {
		t.Fatal(err)
	}
	chain := view.Horizon.Chain
	if chain == nil || chain.BoundBy != logout.BoundBySessionExpiry || !chain.SessionEndsAt.Equal(bottom.Expires) {
		t.Fatalf("got the chain %+v, want the session here bound by session_expiry", chain)
	}
	if len(chain.UnknownNames) > 0 || chain.ExpiresAt.Before(chain.SessionEndsAt) {
		t.Errorf("got the chain %+v, want a bound for all of it", chain)
	}
}

// TestReportSaysWhatIsKnownOfTheUpstream signs out here, at the upstream in the browser, and at the upstream itself.
func TestReportSaysWhatIsKnownOfTheUpstream(t *testing.T) {
	nodes, a := mustPair(t, nil)
	v := newVisitor(t, nodes)
	nodes[1].mustRedeem(t, a, v.atUpstream(nodes, a))
	p := v.submit(v.open(nodes[1].issuer+"/end_session"), "scope", "session")
	e := nodes[1].mustReport(t)
	if !slices.Contains(e.Chain.UnknownNames, "top") || e.Upstream.Unknown != 1 {
		t.Fatalf("got %+v and %+v, want the session at top unknown", e.Upstream, e.Chain)
	}
	p = v.click(p, "sign-out-upstream")
	if link := p.Link("continue"); link != "" {
		v.open(link)
	}
	e = nodes[1].mustReport(t)
	i := slices.IndexFunc(e.Entries, func(e storage.ReportEntry) bool { return e.Kind == logout.KindUpstreamSession })
	if i < 0 || e.Entries[i].Trust != storage.TrustNotified {
		t.Errorf("got the entries %+v, want the session at top notified", e.Entries)
	}

	nodes, a = mustPair(t, nil)
	v = newVisitor(t, nodes)
	claims := nodes[1].mustRedeem(t, a, v.atUpstream(nodes, a))
	v.submit(v.open(nodes[0].issuer+"/end_session"), "scope", "session")
	a.mustBeLoggedOut(t, claims["sid"])
	e = nodes[1].mustReport(t)
	if e.Upstream.Over != 1 || slices.Contains(e.Chain.UnknownNames, "top") {
		t.Errorf("got %+v and %+v, want the session at top over", e.Upstream, e.Chain)
	}
}

// TestReportPageShowsTheOtherProvider reads the account's report and device pages.
func TestReportPageShowsTheOtherProvider(t *testing.T) {
	nodes, a := mustPair(t, nil)
	v, other := newVisitor(t, nodes), newVisitor(t, nodes)
	nodes[1].mustRedeem(t, a, v.atUpstream(nodes, a))
	nodes[1].mustRedeem(t, a, other.atUpstream(nodes, a))
	body := v.open(nodes[1].issuer + "/account").Body
	if !strings.Contains(body, "may continue at Provider top") ||
		!strings.Contains(body, "even if Provider top sends") {
		t.Error("got no word about the other provider on the page of the devices")
	}
	other.submit(other.open(nodes[1].issuer+"/end_session"), "scope", "session")
	reports, _, err := nodes[1].Store.ListReports(t.Context(), storage.ReportFilter{}, storage.Page{})
	if err != nil || len(reports) != 1 {
		t.Fatalf("got %d reports, %v, want 1", len(reports), err)
	}
	body = v.open(nodes[1].issuer + "/account/reports/" + reports[0].ID).Body
	if !strings.Contains(body, "may continue at Provider top") ||
		!strings.Contains(body, `data-horizon="chain">unknown`) {
		t.Errorf("got no word about the other provider on the page of the report")
	}
}

// TestDoctorShowsTheChain asks the doctor with an upstream that answers, and with one that does not.
func TestDoctorShowsTheChain(t *testing.T) {
	nodes, _ := mustPair(t, nil)
	diagnose := func() admin.Diagnosis {
		t.Helper()
		var d admin.Diagnosis
		if err := json.Unmarshal([]byte(nodes[1].MustAdmin(http.MethodGet, "/doctor", "").Body), &d); err != nil {
			t.Fatal(err)
		}
		if len(d.Upstreams) != 1 {
			t.Fatalf("got %d upstreams, want 1", len(d.Upstreams))
		}
		return d
	}
	u := diagnose().Upstreams[0]
	if !slices.Contains(u.Channels, "backchannel") || !slices.Contains(u.Channels, "rp_initiated") ||
		len(u.Problems) > 0 {
		t.Errorf("got %+v, want an upstream that notifies", u)
	}
	if u.Chain.Seconds < u.Session.Seconds || u.Session.Seconds == 0 || !slices.Contains(u.Unknown, "Shop") {
		t.Errorf("got %+v, want a chain that is longer than the session here, and shop unknown", u)
	}
	lost, _ := mustPair(t, nil)
	lost[0].intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	nodes = lost
	if d := diagnose(); d.Healthy || len(d.Upstreams[0].Problems) == 0 {
		t.Errorf("got %+v, want a problem with an upstream that does not answer", d.Upstreams[0])
	}
}
