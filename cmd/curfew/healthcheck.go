package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/storage"
)

// healthTimeout is how long the server may take to say that it is well.
const healthTimeout = 5 * time.Second

func (p *program) healthcheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the server whether it is well, its store included",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), healthTimeout)
			defer cancel()
			return ask(ctx, p, func(ctx context.Context, c *admin.Client) (admin.Status, error) { return c.Status(ctx) }, func(s admin.Status) error {
				fmt.Fprintln(p.stdout, "well")
				return p.printFields([][2]string{
					{"issuer", s.Issuer}, {"version", s.Version}, {"since", formatTime(s.Started)}, {"sessions", strconv.Itoa(s.Sessions)},
					{"deliveries pending", strconv.Itoa(s.Deliveries[storage.DeliveryPending])}, {"oldest pending", formatTime(s.OldestPending)},
					{"deliveries given up", strconv.Itoa(s.Deliveries[storage.DeliveryFailed])}, {"mass endings under way", strconv.Itoa(s.BulkLogouts)},
				})
			})
		},
	}
}
