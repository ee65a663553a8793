package provider

import (
	"context"

	"github.com/curfew-id/curfew/provider/password"
)

// RotateForTest replaces the signing keys at once.
func (p *Provider) RotateForTest(ctx context.Context) error {
	return p.config.Ring.Rotate(ctx, p.config.Now(), true, "test")
}

// CheapForTest is a cost of passwords at which hundreds of sign-ins take no time.
var CheapForTest = password.Cost{Memory: 64, Time: 1, Threads: 1}

// CheapPasswordsForTest has passwords hashed at CheapForTest.
func (p *Provider) CheapPasswordsForTest() { *p.hasher = *password.NewHasher(CheapForTest) }
