//go:build curfewfault

package server

import (
	"context"
	"net"
	"os"
)

// egressResolver asks the DNS server at the address that CURFEW_FAULT_DNS names, so that a test can let names change.
// Nil without one.
func egressResolver() *net.Resolver {
	address := os.Getenv("CURFEW_FAULT_DNS")
	if address == "" {
		return nil
	}
	return &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
}
