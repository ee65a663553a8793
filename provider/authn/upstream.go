package authn

import (
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// UpstreamContext is the authentication context that an upstream states (Core §2), with what of it counts here.
type UpstreamContext struct {
	ACR string
	AMR []string

	CountACR map[string]string // a value of ACRValues, by the upstream's
	CountAMR []string          // the upstream's amr values that count
}

// FromUpstream is an authentication by an upstream. Without CountACR it counts as one factor.
func FromUpstream(
	user storage.User,
	session storage.UpstreamSession,
	context UpstreamContext,
	authTime time.Time,
	sequence storage.Sequence,
) Authentication {
	a := Authentication{
		User:     user,
		AuthTime: authTime,
		Sequence: sequence,
		ACR:      ACRPassword,
		Upstream: session,
	}
	if acr := context.CountACR[context.ACR]; acr != "" {
		a.ACR = acr
	}
	for _, method := range context.AMR {
		if slices.Contains(context.CountAMR, method) && method != AMRRemembered && !slices.Contains(a.AMR, method) {
			a.AMR = append(a.AMR, method)
		}
	}
	if a.ACR != ACRPassword && !slices.Contains(a.AMR, amrMultiFactor) {
		a.AMR = append(a.AMR, amrMultiFactor)
	}
	return a
}
