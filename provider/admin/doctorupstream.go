package admin

import (
	"context"
	"strings"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/upstream"
	"github.com/curfew-id/curfew/storage"
)

// UpstreamDiagnosis says how logouts travel between an upstream and Curfew, and how long anything can stay trusted
// after a logout there whose notification is lost.
type UpstreamDiagnosis struct {
	Upstream string     `json:"upstream"` // its id in the configuration
	Name     string     `json:"name"`
	Issuer   string     `json:"issuer"`
	Probed   bool       `json:"probed"`             // its metadata were read, or Problems says why not
	Channels []string   `json:"channels,omitempty"` // it announces: backchannel, frontchannel, rp_initiated
	Session  TrustLimit `json:"session"`            // the session here; session_expiry of the upstream may shorten it
	Chain    TrustLimit `json:"chain"`              // the session here, and all clients with a bound
	Unknown  []string   `json:"unknown_names,omitempty"`
	Problems []string   `json:"problems,omitempty"`
	Notes    []string   `json:"notes,omitempty"`
}

// diagnoseUpstreams checks all upstreams. With probe it reads their metadata.
func (a *api) diagnoseUpstreams(ctx context.Context, clients []*storage.Client, probe bool) []UpstreamDiagnosis {
	var all []UpstreamDiagnosis
	chain := logout.AssessChain(clients, a.Lifetimes)
	limit := logout.DeclaredBound{Applies: true, Limit: chain.Limit, BoundBy: logout.BoundBySessionLifetime}
	session := logout.DeclaredBound{Applies: true, Limit: chain.Session, BoundBy: logout.BoundBySessionLifetime}
	for _, p := range a.Upstreams {
		d := UpstreamDiagnosis{
			Upstream: p.ID,
			Name:     p.Name,
			Issuer:   p.Issuer,
			Probed:   probe,
			Session:  toTrustLimit(session),
			Chain:    toTrustLimit(limit),
			Unknown:  chain.UnknownNames,
		}
		if probe {
			d.probe(ctx, p)
		}
		all = append(all, d)
	}
	return all
}

// probe reads the metadata of the upstream.
func (d *UpstreamDiagnosis) probe(ctx context.Context, p *upstream.Provider) {
	support, err := p.Support(ctx)
	if err != nil {
		d.Problems = append(d.Problems, strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	for _, channel := range []struct {
		name     string
		announce bool
	}{
		{logout.BackChannel, support.BackChannel},
		{logout.FrontChannel, support.FrontChannel},
		{"rp_initiated", support.RPInitiated},
	} {
		if channel.announce {
			d.Channels = append(d.Channels, channel.name)
		}
	}
	if !support.BackChannel {
		d.Notes = append(d.Notes, "it does not announce back-channel logout with sid: unless it sends session_expiry, "+
			"or recheck is set, a logout there is noticed only when the session here expires")
	}
	if !support.RPInitiated {
		d.Notes = append(d.Notes, "it has no end_session_endpoint: a sign-out here cannot end the session there")
	}
}
