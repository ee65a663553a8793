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

// healthTimeout is how long the server may take to answer.
const healthTimeout = 5 * time.Second

func (p *program) healthcheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Check that the server answers and its store can be read",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), healthTimeout)
			defer cancel()
			return callAndPrint(
				ctx,
				p,
				func(ctx context.Context, c *admin.Client) (admin.Status, error) { return c.Status(ctx) },
				func(s admin.Status) error {
					fmt.Fprintln(p.stdout, "healthy")
					return p.printFields([][2]string{
						{"issuer", s.Issuer},
						{"version", s.Version},
						{"since", formatTime(s.Started)},
						{"sessions", strconv.Itoa(s.Sessions)},
						{"deliveries pending", strconv.Itoa(s.Deliveries[storage.DeliveryPending])},
						{"oldest pending", formatTime(s.OldestPending)},
						{"deliveries failed", strconv.Itoa(s.Deliveries[storage.DeliveryFailed])},
						{"bulk logouts running", strconv.Itoa(s.BulkLogouts)},
						{"unknown hosts", fmt.Sprintf(
							"%d waiting, %d tried since the start, longest wait %.1f s",
							s.UnknownHosts.Waiting,
							s.UnknownHosts.Tried,
							s.UnknownHosts.LongestWaitSeconds,
						)},
					})
				},
			)
		},
	}
}
