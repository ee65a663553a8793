package upstream

import "context"

// Support says by which means an upstream announces that logouts travel between it and Curfew.
type Support struct {
	BackChannel  bool // it sends logout tokens with a sid (Back-Channel Logout 1.0 §2.1)
	FrontChannel bool // it loads front-channel logout URIs with a sid (Front-Channel Logout 1.0 §3)
	RPInitiated  bool // it has an end_session_endpoint (RP-Initiated Logout 1.0 §2.1)
}

// Support reads the metadata of the upstream. The error is ErrUnavailable.
func (p *Provider) Support(ctx context.Context) (Support, error) {
	m, err := p.metadata(ctx)
	if err != nil {
		return Support{}, err
	}
	return Support{
		BackChannel:  m.BackchannelLogout && m.BackchannelSID,
		FrontChannel: m.FrontchannelLogout && m.FrontchannelSID,
		RPInitiated:  isWebURL(m.EndSessionEndpoint),
	}, nil
}
