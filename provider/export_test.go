package provider

import "context"

// RotateForTest replaces the signing keys at once.
func (p *Provider) RotateForTest(ctx context.Context) error {
	return p.config.Ring.Rotate(ctx, p.config.Now(), true, "test")
}
