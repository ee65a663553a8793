package admin_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/storage"
)

func TestSignedReportProvesItselfWithItsAuditLines(t *testing.T) {
	d, ada := mustSignInManyUsers(t)
	result := must[admin.TerminationResult](d, 200, "POST", "/logouts", `{"sessions":["a1"]}`)
	w := d.do("GET", "/reports/"+result.Reports[0]+"/signed", "")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/jwt" {
		t.Fatalf("got %d %s, want a JWT", w.Code, w.Header().Get("Content-Type"))
	}
	jws, err := jose.ParseSignedCompact(w.Body.String(), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	if typ := jws.Signatures[0].Header.ExtraHeaders["typ"]; typ != logout.DocumentTyp {
		t.Errorf("got typ %v, want %s", typ, logout.DocumentTyp)
	}
	var published jose.JSONWebKeySet
	body, _ := d.ring.JWKS()
	if err := json.Unmarshal(body, &published); err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(published)
	if err != nil {
		t.Fatalf("verify with the published keys: %v", err)
	}
	var doc logout.Document
	if err := json.Unmarshal(payload, &doc); err != nil {
		t.Fatal(err)
	}
	report := must[admin.Report](d, 200, "GET", "/reports/"+result.Reports[0], "")
	if doc.Issuer != issuer || doc.Txn != result.CauseID || doc.Subject != ada.Subject ||
		len(doc.Audit) != len(report.Audit) ||
		len(doc.Audit) == 0 {
		t.Errorf("got %+v, want %s, cause %s and the %d audit lines", doc, issuer, result.CauseID, len(report.Audit))
	}
	if faults := doc.Check(); len(faults) > 0 {
		t.Errorf("the document contradicts itself: %v", faults)
	}
	d.mustFail(404, "not_found", "report", "GET", "/reports/nothing/signed", "")
}

func TestReportSaysWhatIsKnownNow(t *testing.T) {
	d, ada := mustSignInManyUsers(t)
	must[admin.ClientRecord](d, 200, "PATCH", "/clients/mail", `{"session_expiry":600}`)
	result := must[admin.TerminationResult](d, 200, "POST", "/logouts", `{"sessions":["a2"]}`)
	r := must[admin.Report](d, 200, "GET", "/reports/"+result.Reports[0], "")
	if r.Subject != ada.Subject || len(r.Entries) == 0 || r.Horizon.Clients.Entries != 1 {
		t.Errorf("got %+v, want ada's report with one application", r)
	}
	if list := must[admin.ReportList](d, 200, "GET", "/reports?client=mail&user=ada", "").Reports; len(list) != 1 {
		t.Errorf("got %d reports, want 1", len(list))
	}
	if list := must[admin.ReportList](d, 200, "GET", "/reports?user=nobody", "").Reports; list == nil ||
		len(list) != 0 {
		t.Errorf("got %v, want an empty list", list)
	}
}

func TestDeliveryIsRetriedOrGivenUpByHand(t *testing.T) {
	d, _ := mustSignInManyUsers(t)
	must[admin.TerminationResult](d, 200, "POST", "/logouts", `{"user":"ada"}`)
	all := must[admin.DeliveryList](d, 200, "GET", "/deliveries?state=pending", "").Deliveries
	if len(all) != 3 {
		t.Fatalf("got %d pending deliveries, want 3", len(all))
	}
	id := all[0].ID
	if one := must[admin.Delivery](
		d,
		200,
		"POST",
		"/deliveries/"+id+"/cancel",
		"",
	); one.State != storage.DeliveryCancelled {
		t.Errorf("got state %s, want cancelled", one.State)
	}
	if e := d.lastEvent("delivery.cancelled"); e.By != "admin" {
		t.Errorf("got audit line %+v, want by admin", e)
	}
	d.clock.Advance(time.Hour)
	if one := must[admin.Delivery](d, 200, "POST", "/deliveries/"+all[1].ID+"/retry", ""); !one.NextAttempt.Equal(
		d.clock.Now(),
	) {
		t.Errorf("got next %s, want %s", one.NextAttempt, d.clock.Now())
	}
	for _, c := range []string{"GET /deliveries/none", "POST /deliveries/none/retry", "POST /deliveries/none/cancel"} {
		method, path, _ := strings.Cut(c, " ")
		d.mustFail(404, "not_found", "delivery", method, path, "")
	}
	d.mustFail(400, "invalid", "state", "GET", "/deliveries?state=lost", "")
	if got := must[admin.DeliveryList](d, 200, "GET", "/deliveries?state=failed", "").Deliveries; got == nil ||
		len(got) != 0 {
		t.Errorf("got %v, want an empty list", got)
	}
}

func TestDoctorNamesWhatKeepsALogoutFromArriving(t *testing.T) {
	d := mustStart(t, func(c *admin.Config) { c.MaxTrustHorizon = 10 * time.Minute })
	d.mustAddClient("sound", `,"session_expiry":300,"refresh_tokens":"session"`)
	d.mustAddClient("blocked", `,"session_expiry":300`)
	d.mustAddClient("gullible", `,"session_expiry":300`)
	d.mustAddClient("moved", `,"session_expiry":300`)
	d.mustAddClient("absent", `,"session_expiry":300`)
	d.mustAddClient("down", `,"session_expiry":300`)
	d.mustAddClient("unbounded", "")
	d.mustAddClient("off", "")
	must[admin.TerminationResult](d, 200, "POST", "/clients/off/disable", "")
	must[admin.ClientRecord](
		d,
		201,
		"POST",
		"/clients",
		`{"client_id":"deaf","redirect_uris":["http://localhost/cb"],"frontchannel_logout_uri":"http://localhost/fcl","session_expiry":300}`,
	)
	d.clients.Deny("https://blocked.example/bcl")
	d.clients.Answer(func(uri string, _ url.Values) (egress.Response, error) {
		switch {
		case strings.Contains(uri, "gullible"):
			return egress.Response{Status: http.StatusOK}, nil
		case strings.Contains(uri, "moved"):
			return egress.Response{Status: http.StatusFound}, nil
		case strings.Contains(uri, "absent"):
			return egress.Response{Status: http.StatusNotFound}, nil
		case strings.Contains(uri, "down"):
			return egress.Response{}, &egress.Error{Class: egress.Refused, Host: "down.example"}
		}
		return egress.Response{Status: http.StatusBadRequest}, nil
	})
	diagnosis := must[admin.Diagnosis](d, 200, "GET", "/doctor", "")
	if diagnosis.Healthy || len(diagnosis.Clients) != 9 {
		t.Fatalf("got healthy %v with %d clients, want problems of nine", diagnosis.Healthy, len(diagnosis.Clients))
	}
	for id, want := range map[string]string{
		"sound":     "",
		"off":       "",
		"blocked":   "egress.allow",
		"gullible":  "answers 200",
		"moved":     "redirects",
		"absent":    "curfew client test-logout",
		"down":      "refused",
		"unbounded": "max_trust_horizon",
		"deaf":      "browser",
	} {
		found := false
		for _, e := range diagnosis.Clients {
			if e.Client != id {
				continue
			}
			found = true
			text := strings.Join(e.Problems, "\n")
			if want == "" && text != "" || !strings.Contains(text, want) {
				t.Errorf("%s: got problems %q, want %q", id, text, want)
			}
			if reachable := id == "sound" || id == "gullible" || id == "moved" || id == "absent" || id == "unbounded"; e.Endpoint != nil &&
				e.Endpoint.Reachable != reachable {
				t.Errorf("%s: got endpoint %+v, want reachable %v", id, e.Endpoint, reachable)
			}
		}
		if !found {
			t.Errorf("%s was not examined", id)
		}
	}
	for _, post := range d.clients.Sent() {
		if len(post.Form) != 0 {
			t.Errorf("got %v sent, want an empty form", post.Form)
		}
	}
	called := len(d.clients.Sent())
	one := must[admin.Diagnosis](d, 200, "GET", "/doctor?client=sound&probe=false", "")
	if !one.Healthy || len(one.Clients) != 1 || len(d.clients.Sent()) != called ||
		one.Clients[0].ClientSession.Seconds != 360 {
		t.Errorf(
			"got %+v and %d more calls, want a healthy client with 300 s and 60 s of skew, and no call",
			one,
			len(d.clients.Sent())-called,
		)
	}
	d.mustFail(404, "not_found", "client", "GET", "/doctor?client=nobody", "")
}

// TestDoctorNamesJWTAccessTokensWithoutAudience: a client of an earlier build can have some.
func TestDoctorNamesJWTAccessTokensWithoutAudience(t *testing.T) {
	d := mustStart(t)
	d.mustAddClient("old", `,"access_token_format":"jwt","audience":["https://api.example"]`)
	client, err := d.store.Client(t.Context(), "old")
	if err != nil {
		t.Fatal(err)
	}
	client.Audience = nil
	if err := d.store.PutClient(t.Context(), *client); err != nil {
		t.Fatal(err)
	}
	one := must[admin.Diagnosis](d, 200, "GET", "/doctor?client=old&probe=false", "")
	if one.Healthy || !strings.Contains(strings.Join(one.Clients[0].Problems, "\n"), "no audience is set") {
		t.Errorf("got %+v, want the missing audience", one)
	}
}

func TestDoctorSeesTheBacklog(t *testing.T) {
	d, _ := mustSignInManyUsers(t)
	must[admin.TerminationResult](d, 200, "POST", "/logouts", `{"user":"ada"}`)
	d.clock.Advance(time.Hour)
	got := must[admin.Diagnosis](d, 200, "GET", "/doctor?probe=false", "").Problems
	if len(got) != 1 || !strings.Contains(got[0], "oldest of 3 pending") {
		t.Errorf("got %q, want the deliveries that wait", got)
	}
}

func TestRenotificationIsExplained(t *testing.T) {
	d, _ := mustSignInManyUsers(t)
	d.mustSignIn(d.mustAddUser("cem"), "c1", []string{"mail"})
	d.clock.Advance(-time.Minute + time.Second) // a second after the sign-in
	must[admin.TerminationResult](d, 200, "POST", "/logouts", `{"sessions":["c1"]}`)
	deliveries := must[admin.DeliveryList](d, 200, "GET", "/deliveries?client=mail", "").Deliveries
	if len(deliveries) != 2 {
		t.Fatalf("got %d deliveries, want the notification and the re-notification", len(deliveries))
	}
	for _, one := range deliveries {
		if said := strings.HasPrefix(one.Meaning, "re-notification: "); said != one.Renotification {
			t.Errorf("late %v: got meaning %q", one.Renotification, one.Meaning)
		}
	}
}
