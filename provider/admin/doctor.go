package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/storage"
)

// Diagnosis lists the problems that keep logouts from reaching clients.
type Diagnosis struct {
	Healthy  bool              `json:"healthy"` // no problem was found
	Problems []string          `json:"problems,omitempty"`
	Clients  []ClientDiagnosis `json:"clients"`

	Upstreams []UpstreamDiagnosis `json:"upstreams,omitempty"`
}

// ClientDiagnosis says how Curfew can notify one client of a logout, and how long the client may trust a session that
// has ended.
type ClientDiagnosis struct {
	Client         string     `json:"client"`
	Name           string     `json:"name,omitempty"`
	Disabled       bool       `json:"disabled,omitempty"`
	CanJoinSession bool       `json:"can_join_session"` // it can get client sessions
	Channels       []string   `json:"channels,omitempty"`
	CanConfirm     bool       `json:"can_confirm"`    // it can answer a logout token
	OfflineAccess  bool       `json:"offline_access"` // it can get offline access, which survives a sign-out
	Tokens         TrustLimit `json:"tokens"`
	ClientSession  TrustLimit `json:"client_session"`
	Endpoint       *Endpoint  `json:"endpoint,omitempty"`        // of the back channel
	NeverSignedIn  bool       `json:"never_signed_in,omitempty"` // no sign-in to it is on record

	LastRefusal *storage.ClientRefusal `json:"last_refusal,omitempty"`
	Problems    []string               `json:"problems,omitempty"`
	Notes       []string               `json:"notes,omitempty"` // advice about its framework, which is not a problem
}

// TrustLimit is how long one kind of trust can last after a termination, by the declarations of the client.
type TrustLimit struct {
	Applies   bool   `json:"applies"`            // the client can get this kind of trust
	Seconds   int64  `json:"seconds"`            // 0: trust ends with the session
	Unbounded bool   `json:"unbounded"`          // no declaration or rule limits it; Seconds has no meaning
	BoundBy   string `json:"bound_by,omitempty"` // the declaration or rule that limits it
}

// Endpoint is the result of probing a logout endpoint.
type Endpoint struct {
	URI        string `json:"uri"`
	Reachable  bool   `json:"reachable"`
	Status     int    `json:"status,omitempty"`      // the answer to a request without a logout token; 400 is right
	ErrorClass string `json:"error_class,omitempty"` // why there is no answer: denied, dns, refused, tls, timeout …
}

// maxParallelProbes limits the endpoints that are probed at a time.
const maxParallelProbes = 8

// diagnose checks all clients, or the client in the query. It posts an empty form to each back-channel logout URI,
// which no client can take for a logout token. With probe=false it sends no request, and checks only whether Curfew may
// call the URI.
func (a *api) diagnose(w http.ResponseWriter, r *http.Request) error {
	values, err := parseQuery(r, "client", "probe")
	if err != nil {
		return err
	}
	probe := true
	if values.Has("probe") {
		if probe, err = parseBool(values, "probe"); err != nil {
			return err
		}
	}
	ctx := r.Context()
	var clients []*storage.Client
	if id := values.Get("client"); id != "" {
		c, err := a.findClient(ctx, id)
		if err != nil {
			return err
		}
		clients = append(clients, c)
	} else if clients, err = a.allClients(ctx); err != nil {
		return err
	}
	d := Diagnosis{Clients: make([]ClientDiagnosis, len(clients))}
	if !values.Has("client") { // the outbox has deliveries to all clients
		if d.Problems, err = a.checkOutbox(ctx); err != nil {
			return err
		}
		unreachable, err := storage.FindUnreachableLogins(ctx, a.Store)
		if err != nil {
			return err
		}
		for _, u := range unreachable {
			d.Problems = append(d.Problems, u.Problem())
		}
		d.Upstreams = a.diagnoseUpstreams(ctx, clients, probe)
	}
	never, err := a.neverSignedIn(ctx, clients)
	if err != nil {
		return err
	}
	var probes errgroup.Group
	probes.SetLimit(maxParallelProbes)
	for i, c := range clients {
		probes.Go(func() error {
			d.Clients[i] = a.diagnoseClient(ctx, c, probe)
			return a.diagnoseSignIns(ctx, &d.Clients[i], never[c.ClientID])
		})
	}
	if err := probes.Wait(); err != nil {
		return err
	}
	d.Healthy = len(d.Problems) == 0
	for _, c := range d.Clients {
		d.Healthy = d.Healthy && len(c.Problems) == 0
	}
	for _, u := range d.Upstreams {
		d.Healthy = d.Healthy && len(u.Problems) == 0
	}
	return writeJSON(w, http.StatusOK, d)
}

func (a *api) allClients(ctx context.Context) (all []*storage.Client, err error) {
	page := storage.Page{Limit: maxLimit}
	for {
		clients, next, err := a.Store.ListClients(ctx, page)
		if err != nil {
			return nil, err
		}
		all = append(all, clients...)
		if next == "" {
			return all, nil
		}
		page.After = next
	}
}

// checkOutbox returns problems about deliveries that have failed or wait for long.
func (a *api) checkOutbox(ctx context.Context) (problems []string, err error) {
	const maxWait = 10 * time.Minute // a client that restarts is back by then
	countByState, oldestPending, err := a.Store.CountDeliveries(ctx)
	if err != nil {
		return nil, err
	}
	if failed := countByState[storage.DeliveryFailed]; failed > 0 {
		problems = append(problems, fmt.Sprintf(
			"%d deliveries were given up: `curfew logout deliveries --state failed` lists them; "+
				"retry sends them again, cancel takes note of them",
			failed,
		))
	}
	if !oldestPending.IsZero() && a.Now().Sub(oldestPending) > maxWait {
		problems = append(problems, fmt.Sprintf(
			"the oldest of %d pending deliveries waits since %s: "+
				"`curfew logout deliveries --state pending` lists them",
			countByState[storage.DeliveryPending],
			oldestPending.UTC().Format(time.RFC3339),
		))
	}
	if hosts := a.Outbox.UnknownHosts(); hosts.Waiting > 0 && hosts.LongestWait > maxFirstWait {
		problems = append(problems, fmt.Sprintf(
			"%d hosts that were never called have deliveries, and the longest wait for a first attempt was %s: "+
				"many of these hosts do not answer; disable the clients that are not in use",
			hosts.Waiting,
			hosts.LongestWait.Round(time.Second),
		))
	}
	return problems, nil
}

// maxFirstWait is how long a host that was never called may wait for its first attempt.
const maxFirstWait = 30 * time.Second

func (a *api) diagnoseClient(ctx context.Context, c *storage.Client, probe bool) ClientDiagnosis {
	coverage := logout.AssessCoverage(c, a.Lifetimes)
	d := ClientDiagnosis{
		Client:         c.ClientID,
		Name:           c.ClientName,
		Disabled:       c.Disabled,
		CanJoinSession: coverage.CanJoinSession,
		Channels:       coverage.Channels,
		CanConfirm:     coverage.CanConfirm,
		OfflineAccess:  coverage.OfflineAccess,
		Tokens:         toTrustLimit(coverage.Tokens),
		ClientSession:  toTrustLimit(coverage.ClientSession),
		Problems:       coverage.Problems,
		Notes:          confirmationNotes(c),
	}
	if c.Disabled { // it has no sessions and no tokens
		d.Problems = nil
		d.Notes = nil
		return d
	}
	for _, violation := range logout.CheckMaxHorizon(a.MaxTrustHorizon, c, a.Lifetimes) {
		d.Problems = append(d.Problems, violation.Error())
	}
	if c.UsesJWTAccessTokens() && len(c.Audience) == 0 {
		d.Problems = append(d.Problems, "access_token_format is jwt, but no audience is set: "+
			"name the APIs that the tokens are for, or set access_token_format opaque")
	}
	mixedContent := strings.HasPrefix(a.Issuer, "https://") && strings.HasPrefix(c.FrontchannelLogoutURI, "http://")
	if mixedContent && len(coverage.Problems) == 0 {
		d.Problems = append(d.Problems, "frontchannel_logout_uri is http: a page of https may not frame it")
	}
	if c.BackchannelLogoutURI != "" {
		endpoint, problem := a.probeEndpoint(ctx, c.BackchannelLogoutURI, probe)
		d.Endpoint = &endpoint
		if problem != "" {
			d.Problems = append(d.Problems, problem)
		}
	}
	return d
}

// diagnoseSignIns adds the last refused request of a client. It is a problem only if no user has signed in yet:
// otherwise, any request with a wrong parameter would be a problem.
func (a *api) diagnoseSignIns(ctx context.Context, d *ClientDiagnosis, neverSignedIn bool) error {
	d.NeverSignedIn = neverSignedIn
	refusals, err := a.lastRefusals(ctx, d.Client)
	if err != nil || len(refusals) == 0 {
		return err
	}
	d.LastRefusal = &refusals[0]
	if neverSignedIn {
		d.Problems = append(d.Problems, fmt.Sprintf(
			"no user has signed in to it yet, and its last request was refused at %s: %s; "+
				"`curfew client log %s` shows the others",
			refusals[0].At.Format(time.RFC3339), refusals[0].Reason, d.Client,
		))
	}
	return nil
}

// frameworkNotes are warnings about the confirmations of some frameworks. A part of the path of the back-channel logout
// URI identifies the framework.
var frameworkNotes = []struct{ path, note string }{
	{"/logout/connect/back-channel/", "it looks like Spring Security, " +
		"which answers 200 and ends nothing if its session cookie was renamed: " +
		"set the cookie's name in OidcBackChannelLogoutHandler, or `confirmations: untrusted` here"},
	{"/back-channel-logout", "it looks like Quarkus, which keeps one logout token for each user and forgets it at a " +
		"restart: set `confirmations: untrusted` here"},
}

// confirmationNotes returns the warnings about the confirmations of a client. A client with untrusted confirmations
// needs none.
func confirmationNotes(c *storage.Client) (notes []string) {
	if c.HasUntrustedConfirmations() {
		return nil
	}
	for _, framework := range frameworkNotes {
		if strings.Contains(c.BackchannelLogoutURI, framework.path) {
			notes = append(notes, framework.note)
		}
	}
	return notes
}

// toTrustLimit converts a bound to the form of the API, rounded up to full seconds.
func toTrustLimit(bound logout.DeclaredBound) TrustLimit {
	return TrustLimit{
		Applies:   bound.Applies,
		Seconds:   int64((bound.Limit + time.Second - 1) / time.Second),
		Unbounded: bound.Unknown,
		BoundBy:   bound.BoundBy,
	}
}

// probeEndpoint checks a back-channel logout URI and returns the result with its problem, if there is one. It calls the
// URI only with probe.
func (a *api) probeEndpoint(ctx context.Context, uri string, probe bool) (endpoint Endpoint, problem string) {
	endpoint = Endpoint{URI: uri}
	err := a.Egress.Check(ctx, uri)
	if err == nil && probe {
		var answer egress.Response
		answer, err = a.Egress.PostForm(ctx, uri, url.Values{})
		endpoint.Status = answer.Status
	}
	if err != nil {
		endpoint.ErrorClass = string(egress.Broken)
		if egressErr, ok := errors.AsType[*egress.Error](err); ok {
			endpoint.ErrorClass = string(egressErr.Class)
		}
		return endpoint, "backchannel_logout_uri cannot be reached: " + err.Error()
	}
	endpoint.Reachable = true
	if probe {
		problem = explainProbeStatus(endpoint.Status)
	}
	return endpoint, problem
}

// explainProbeStatus returns the problem with an answer to a request without a logout token. Back-Channel Logout 1.0
// §2.8 requires 400.
func explainProbeStatus(status int) (problem string) {
	switch {
	case status == http.StatusBadRequest:
		return ""
	case status == http.StatusOK || status == http.StatusNoContent:
		return fmt.Sprintf(
			"backchannel_logout_uri answers %d to a request without a logout token: "+
				"its confirmation of a logout proves nothing: set `confirmations: untrusted`",
			status,
		)
	case status >= 300 && status < 400:
		return fmt.Sprintf(
			"backchannel_logout_uri redirects (%d), which is never followed: register where it leads",
			status,
		)
	}
	return fmt.Sprintf(
		"backchannel_logout_uri answers %d where 400 is due (Back-Channel Logout 1.0 section 2.8): "+
			"`curfew client test-logout` shows what it says to a logout token",
		status,
	)
}
