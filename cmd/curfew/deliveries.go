package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/storage"
)

func deliveryHeader() []string {
	return []string{"delivery", "client", "state", "attempts", "next", "last answer", "meaning"}
}

// deliveryCells returns the table row of a delivery, in the order of deliveryHeader.
func deliveryCells(d admin.Delivery) []string {
	nextAttempt := ""
	if d.State == storage.DeliveryPending {
		nextAttempt = formatTime(d.NextAttempt)
	}
	return []string{
		d.ID,
		d.Client,
		string(d.State),
		strconv.Itoa(d.Attempts),
		nextAttempt,
		formatAnswer(d.Answer),
		d.Meaning,
	}
}

func (p *program) logoutDeliveries() *cobra.Command {
	var state, client, report string
	cmd := &cobra.Command{
		Use:   "deliveries",
		Short: "List logout token deliveries, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.adminClient()
			if err != nil {
				return err
			}
			return printList(
				p,
				c.Deliveries(cmd.Context(), queryOf("state", state, "client", client, "report", report)),
				deliveryHeader(),
				deliveryCells,
			)
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "in this `STATE`: pending, done, failed, cancelled")
	cmd.Flags().StringVar(&client, "client", "", "to the client with this `ID`")
	cmd.Flags().StringVar(&report, "report", "", "of the report with this `ID`")
	return cmd
}

// deliverySelection holds the flags that select all deliveries in a state.
type deliverySelection struct {
	failed  bool
	pending bool
	client  string // empty: to any client
}

func (s *deliverySelection) addFlags(cmd *cobra.Command, withPending bool) {
	cmd.Flags().BoolVar(&s.failed, "failed", false, "all failed deliveries")
	if withPending {
		cmd.Flags().BoolVar(&s.pending, "pending", false, "all pending deliveries")
	}
	cmd.Flags().StringVar(&s.client, "client", "", "with --failed or --pending: only to the client with this `ID`")
}

// apply calls act for each selected delivery and prints the changed ones. The deliveries are selected either by ids or
// by the flags.
func (s *deliverySelection) apply(
	ctx context.Context,
	p *program,
	ids []string,
	act func(context.Context, *admin.Client, string) (admin.Delivery, error),
) error {
	byState := s.failed || s.pending
	byID := len(ids) > 0
	if byState == byID {
		return &exitError{
			code: exitUsage,
			err:  usageErrorf("no delivery selected: give delivery ids, or --failed for all failed ones"),
			hint: "`curfew logout deliveries --state failed` lists them",
		}
	}
	c, err := p.adminClient()
	if err != nil {
		return err
	}
	for _, state := range s.states() {
		for d, err := range c.Deliveries(ctx, queryOf("state", string(state), "client", s.client)) {
			if err != nil {
				return withExitCode(err)
			}
			ids = append(ids, d.ID)
		}
	}
	changed := make([]admin.Delivery, 0, len(ids))
	for _, id := range ids {
		d, err := act(ctx, c, id)
		if byState && isConflict(err) {
			continue // it was delivered after the listing
		}
		if err != nil {
			return withExitCode(err)
		}
		changed = append(changed, d)
	}
	return printList(p, seqOf(changed), deliveryHeader(), deliveryCells)
}

func (s *deliverySelection) states() (states []storage.DeliveryState) {
	if s.failed {
		states = append(states, storage.DeliveryFailed)
	}
	if s.pending {
		states = append(states, storage.DeliveryPending)
	}
	return states
}

func isConflict(err error) bool {
	var apiErr *admin.Error
	return errors.As(err, &apiErr) && apiErr.Status == http.StatusConflict
}

func (p *program) logoutRetry() *cobra.Command {
	var selection deliverySelection
	cmd := &cobra.Command{
		Use:   "retry [DELIVERY...]",
		Short: "Try deliveries again now, failed ones included",
		RunE: func(cmd *cobra.Command, args []string) error {
			return selection.apply(
				cmd.Context(),
				p,
				args,
				func(ctx context.Context, c *admin.Client, id string) (admin.Delivery, error) {
					return c.RetryDelivery(ctx, id)
				},
			)
		},
	}
	const withPending = true
	selection.addFlags(cmd, withPending)
	return cmd
}

func (p *program) logoutCancel() *cobra.Command {
	var selection deliverySelection
	cmd := &cobra.Command{
		Use:   "cancel [DELIVERY...]",
		Short: "Cancel pending deliveries, or acknowledge failed ones; the trust state of their entries stays",
		RunE: func(cmd *cobra.Command, args []string) error {
			return selection.apply(
				cmd.Context(),
				p,
				args,
				func(ctx context.Context, c *admin.Client, id string) (admin.Delivery, error) {
					return c.CancelDelivery(ctx, id)
				},
			)
		},
	}
	const withPending = false
	selection.addFlags(cmd, withPending)
	return cmd
}
