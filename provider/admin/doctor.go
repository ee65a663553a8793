package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/storage"
)

// Diagnosis is what is wrong, or may be, with how logouts reach relying parties.
type Diagnosis struct {
	Healthy  bool              `json:"healthy"` // no problem at all
	Problems []string          `json:"problems,omitempty"`
	Clients  []ClientDiagnosis `json:"clients"`
}

// ClientDiagnosis is the coverage of one client: whether it can be notified, and what would remain for how long if it
// is not.
type ClientDiagnosis struct {
	Client         string     `json:"client"`
	Name           string     `json:"name,omitempty"`
	Disabled       bool       `json:"disabled,omitempty"`
	HoldsSessions  bool       `json:"can_join_session"` // it can hold a session at all
	Channels       []string   `json:"channels,omitempty"`
	ConfirmsLogout bool       `json:"can_confirm"`    // it can answer
	OfflineAccess  bool       `json:"offline_access"` // it may hold offline access, which a logout leaves
	Tokens         TrustLimit `json:"tokens"`
	Clients        TrustLimit `json:"client_session"`
	Endpoint       *Endpoint  `json:"endpoint,omitempty"` // of the back channel
	Problems       []string   `json:"problems,omitempty"`
}

// TrustLimit is the longest that one kind of trust can last after the end of a session, by what the client declared.
type TrustLimit struct {
	Applies   bool   `json:"applies"`
	Seconds   int64  `json:"seconds"`   // seconds; 0: at once
	Unbounded bool   `json:"unbounded"` // nothing bounds it
	BoundBy   string `json:"bound_by,omitempty"`
}

// Endpoint is what came of calling a logout endpoint.
type Endpoint struct {
	URI        string `json:"uri"`
	Reachable  bool   `json:"reachable"`
	Status     int    `json:"status,omitempty"`      // of its answer to a request without a logout token; 400 is right
	ErrorClass string `json:"error_class,omitempty"` // why no answer came: denied, dns, refused, tls, timeout …
}

// maxParallelProbes is how many relying parties are called at a time.
const maxParallelProbes = 8

// diagnose looks at every client, or the one that is asked for. It calls their logout endpoints with an empty form,
// which no client can take for a logout; probe=false leaves that out and only asks whether they could be called.
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
	if !values.Has("client") { // the backlog concerns all clients
		if d.Problems, err = a.checkBacklog(ctx); err != nil {
			return err
		}
	}
	var probes sync.WaitGroup
	slots := make(chan struct{}, maxParallelProbes)
	for i, c := range clients {
		slots <- struct{}{}
		probes.Go(func() {
			d.Clients[i] = a.diagnoseClient(ctx, c, probe)
			<-slots
		})
	}
	probes.Wait()
	d.Healthy = len(d.Problems) == 0
	for _, c := range d.Clients {
		d.Healthy = d.Healthy && len(c.Problems) == 0
	}
	return writeJSON(w, http.StatusOK, d)
}

func (a *api) allClients(ctx context.Context) (all []*storage.Client, err error) {
	for page := (storage.Page{Limit: maxLimit}); ; {
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

// checkBacklog returns the problems of the outbox as a whole.
func (a *api) checkBacklog(ctx context.Context) (problems []string, err error) {
	const maxWait = 10 * time.Minute // by then a client that is only restarting is back
	states, oldest, err := a.Store.CountDeliveries(ctx)
	if err != nil {
		return nil, err
	}
	if n := states[storage.DeliveryFailed]; n > 0 {
		problems = append(
			problems,
			fmt.Sprintf(
				"%d deliveries were given up: `curfew logout deliveries --state failed` lists them; retry sends them again, cancel takes note of them",
				n,
			),
		)
	}
	if wait := a.Now().Sub(oldest); !oldest.IsZero() && wait > maxWait {
		problems = append(
			problems,
			fmt.Sprintf(
				"the oldest of %d pending deliveries waits since %s: `curfew logout deliveries --state pending` lists them",
				states[storage.DeliveryPending],
				oldest.UTC().Format(time.RFC3339),
			),
		)
	}
	return problems, nil
}

func (a *api) diagnoseClient(ctx context.Context, c *storage.Client, probe bool) ClientDiagnosis {
	coverage := logout.AssessCoverage(c, a.Lifetimes)
	e := ClientDiagnosis{
		Client: c.ClientID, Name: c.ClientName, Disabled: c.Disabled, HoldsSessions: coverage.CanJoinSession, Channels: coverage.Channels, ConfirmsLogout: coverage.CanConfirm,
		OfflineAccess: coverage.OfflineAccess, Tokens: toTrustLimit(coverage.Tokens), Clients: toTrustLimit(coverage.ClientSession), Problems: coverage.Problems,
	}
	if c.Disabled {
		e.Problems = nil // it holds nothing and gets nothing
		return e
	}
	for _, violation := range logout.CheckMaxHorizon(a.MaxTrustHorizon, c, a.Lifetimes) {
		e.Problems = append(e.Problems, violation.Error())
	}
	if strings.HasPrefix(a.Issuer, "https://") && strings.HasPrefix(c.FrontchannelLogoutURI, "http://") &&
		len(coverage.Problems) == 0 {
		e.Problems = append(e.Problems, "frontchannel_logout_uri is http: a page of https may not frame it")
	}
	if c.BackchannelLogoutURI != "" {
		endpoint, problem := a.probeEndpoint(ctx, c.BackchannelLogoutURI, probe)
		e.Endpoint = &endpoint
		if problem != "" {
			e.Problems = append(e.Problems, problem)
		}
	}
	return e
}

func toTrustLimit(r logout.DeclaredBound) TrustLimit {
	return TrustLimit{r.Applies, int64((r.Limit + time.Second - 1) / time.Second), r.Unknown, r.BoundBy}
}

// probeEndpoint tries an endpoint out and says what is wrong with it.
func (a *api) probeEndpoint(ctx context.Context, uri string, probe bool) (Endpoint, string) {
	e := Endpoint{URI: uri}
	err := a.Egress.Check(ctx, uri)
	if err == nil && probe {
		var answer egress.Response
		answer, err = a.Egress.PostForm(ctx, uri, url.Values{})
		e.Status = answer.Status
	}
	if err != nil {
		e.ErrorClass = string(egress.Broken)
		if egressErr, ok := errors.AsType[*egress.Error](err); ok {
			e.ErrorClass = string(egressErr.Class)
		}
		return e, "backchannel_logout_uri cannot be reached: " + err.Error()
	}
	e.Reachable = true
	switch s := e.Status; {
	case !probe, s == http.StatusBadRequest:
		return e, ""
	case s == http.StatusOK || s == http.StatusNoContent:
		return e, fmt.Sprintf(
			"backchannel_logout_uri answers %d to a request without a logout token: its confirmation of a logout proves nothing",
			s,
		)
	case s >= 300 && s < 400:
		return e, fmt.Sprintf(
			"backchannel_logout_uri redirects (%d), which is never followed: register where it leads",
			s,
		)
	default:
		return e, fmt.Sprintf(
			"backchannel_logout_uri answers %d where 400 is due (Back-Channel Logout 1.0 section 2.8): `curfew client test-logout` shows what it says to a logout token",
			s,
		)
	}
}
