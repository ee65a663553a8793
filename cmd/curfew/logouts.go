package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/cmd/curfew/terminal"
	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

func (p *program) logoutCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logout",
		Short: "What became of sessions that ended: reports, and the deliveries that tell applications",
		Long: "What became of sessions that ended: reports, and the deliveries that tell applications.\n\n" +
			"trust is what a holder may still do: unknown, told, bounded (until), confirmed, closed. delivery is how telling it goes:\n" +
			"none, pending, done, failed, cancelled.",
	}
	cmd.AddCommand(p.logoutList(), p.logoutShow(), p.logoutDeliveries(), p.logoutRetry(), p.logoutCancel(), p.logoutProgress(), p.logoutVerify())
	return cmd
}

func (p *program) logoutList() *cobra.Command {
	var user, client, cause string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what ended, newest first, and what may still be trusted",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.adminClient()
			if err != nil {
				return err
			}
			header := []string{"report", "ended", "what", "reason", "by", "sub", "tokens", "applications"}
			return printList(p, c.Reports(cmd.Context(), queryOf("user", user, "client", client, "cause", cause)), header, func(r admin.Report) []string {
				return []string{r.ID, formatTime(r.EndedAt), terminationKind(r.Report), string(r.Cause.Reason), r.Cause.By, r.Subject, formatHorizonPart(r.Horizon.Tokens, r.Horizon.At), formatHorizonPart(r.Horizon.Clients, r.Horizon.At)}
			})
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "of the person with this `NAME`")
	cmd.Flags().StringVar(&client, "client", "", "that concerned the client with this `ID`")
	cmd.Flags().StringVar(&cause, "cause", "", "of one act, such as a mass ending")
	return cmd
}

func terminationKind(r storage.Report) string {
	switch {
	case r.WholeSession:
		return "session"
	case r.Session != "":
		return "share"
	}
	return "grant"
}

func (p *program) logoutShow() *cobra.Command {
	var signed bool
	cmd := &cobra.Command{
		Use:   "show REPORT|DELIVERY",
		Short: "Show one report with every holder, or one delivery",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.adminClient()
			if err != nil {
				return err
			}
			if signed {
				token, err := c.SignedReport(cmd.Context(), args[0])
				if err == nil {
					_, err = fmt.Fprintln(p.stdout, token)
				}
				return withExitCode(err)
			}
			err = ask(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.Report, error) { return c.Report(ctx, args[0]) }, func(r admin.Report) error {
				return p.showReport(cmd.Context(), c, r)
			})
			if exitCodeOf(err) != exitNotFound {
				return err
			}
			deliveryErr := ask(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.Delivery, error) { return c.Delivery(ctx, args[0]) }, func(d admin.Delivery) error { return p.printRecord(d) })
			if exitCodeOf(deliveryErr) == exitNotFound {
				return &exitError{code: exitNotFound, err: fmt.Errorf("there is no report and no delivery %q", args[0])}
			}
			return deliveryErr
		},
	}
	cmd.Flags().BoolVar(&signed, "signed", false, "the report as a signed document, for `curfew logout verify`")
	return cmd
}

func exitCodeOf(err error) int {
	f := (*exitError)(nil)
	if errors.As(err, &f) {
		return f.code
	}
	return exitFailed
}

func (p *program) showReport(ctx context.Context, c *admin.Client, r admin.Report) error {
	audit := make([]string, len(r.Audit))
	for i, seq := range r.Audit {
		audit[i] = strconv.FormatUint(seq, 10)
	}
	facts := [][2]string{
		{"report", r.ID}, {"ended", formatTime(r.EndedAt)}, {"what", terminationKind(r.Report)}, {"reason", string(r.Cause.Reason)}, {"by", r.Cause.By}, {"client", r.Cause.Client},
		{"act", r.Cause.ID}, {"session", r.Session}, {"sub", r.Subject}, {"signed in", formatTime(r.AuthTime)}, {"browser", templates.Device(r.UserAgent)}, {"address", r.Address},
		{"audit lines", strings.Join(audit, ", ")}, {"kept until", formatTime(r.DeleteAfter)},
	}
	if err := p.printFields(append(facts, horizonFields(r.Horizon)...)); err != nil {
		return err
	}
	if len(r.Horizon.Entries) > 0 {
		rows := make([][]string, len(r.Horizon.Entries))
		for i, entry := range r.Horizon.Entries {
			rows[i] = entryCells(entry)
		}
		fmt.Fprintln(p.stdout)
		if err := p.printTable(entryHeader(), rows); err != nil {
			return err
		}
	}
	var deliveries []admin.Delivery
	for d, err := range c.Deliveries(ctx, queryOf("report", r.ID)) {
		if err != nil {
			return withExitCode(err)
		}
		deliveries = append(deliveries, d)
	}
	if len(deliveries) == 0 {
		return nil
	}
	fmt.Fprintln(p.stdout)
	return printList(p, seqOf(deliveries), deliveryHeader(), deliveryCells)
}

func deliveryHeader() []string {
	return []string{"delivery", "client", "state", "attempts", "next", "last answer", "meaning"}
}

func deliveryCells(d admin.Delivery) []string {
	next := ""
	if d.State == storage.DeliveryPending {
		next = formatTime(d.NextAttempt)
	}
	return []string{d.ID, d.Client, string(d.State), strconv.Itoa(d.Attempts), next, formatAnswer(d.Answer), d.Meaning}
}

func (p *program) logoutDeliveries() *cobra.Command {
	var state, client, report string
	cmd := &cobra.Command{
		Use:   "deliveries",
		Short: "List the deliveries that tell applications, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.adminClient()
			if err != nil {
				return err
			}
			return printList(p, c.Deliveries(cmd.Context(), queryOf("state", state, "client", client, "report", report)), deliveryHeader(), deliveryCells)
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only in this `STATE`: pending, done, failed, cancelled")
	cmd.Flags().StringVar(&client, "client", "", "to the client with this `ID`")
	cmd.Flags().StringVar(&report, "report", "", "of the report with this `ID`")
	return cmd
}

// deliverySelection are the deliveries that a command is about: named ones, or all of a state.
type deliverySelection struct {
	failed, pending bool
	client          string
}

func (s *deliverySelection) addFlags(cmd *cobra.Command, pending bool) {
	cmd.Flags().BoolVar(&s.failed, "failed", false, "all that were given up")
	if pending {
		cmd.Flags().BoolVar(&s.pending, "pending", false, "all that wait for their next try")
	}
	cmd.Flags().StringVar(&s.client, "client", "", "of all these only those to the client with this `ID`")
}

// apply does something to deliveries that are named, or to all of the states that are asked for.
func (s *deliverySelection) apply(ctx context.Context, p *program, ids []string, act func(context.Context, *admin.Client, string) (admin.Delivery, error)) error {
	all := s.failed || s.pending
	if all == (len(ids) > 0) {
		return &exitError{code: exitUsage, err: usageErrorf("give deliveries, or --failed for all that were given up"), hint: "`curfew logout deliveries --state failed` shows them"}
	}
	c, err := p.adminClient()
	if err != nil {
		return err
	}
	for state, selected := range map[storage.DeliveryState]bool{storage.DeliveryFailed: s.failed, storage.DeliveryPending: s.pending} {
		if !selected {
			continue
		}
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
		if apiErr := (*admin.Error)(nil); all && errors.As(err, &apiErr) && apiErr.Status == http.StatusConflict {
			continue // it was delivered meanwhile
		} else if err != nil {
			return withExitCode(err)
		}
		changed = append(changed, d)
	}
	return printList(p, seqOf(changed), deliveryHeader(), deliveryCells)
}

func (p *program) logoutRetry() *cobra.Command {
	var selection deliverySelection
	cmd := &cobra.Command{
		Use:   "retry [DELIVERY...]",
		Short: "Try deliveries again now, those that were given up, too",
		RunE: func(cmd *cobra.Command, args []string) error {
			return selection.apply(cmd.Context(), p, args, func(ctx context.Context, c *admin.Client, id string) (admin.Delivery, error) {
				return c.RetryDelivery(ctx, id)
			})
		},
	}
	selection.addFlags(cmd, true)
	return cmd
}

func (p *program) logoutCancel() *cobra.Command {
	var selection deliverySelection
	cmd := &cobra.Command{
		Use:   "cancel [DELIVERY...]",
		Short: "Give pending deliveries up, or take note of failed ones; what their holders may trust stays as it was",
		RunE: func(cmd *cobra.Command, args []string) error {
			return selection.apply(cmd.Context(), p, args, func(ctx context.Context, c *admin.Client, id string) (admin.Delivery, error) {
				return c.CancelDelivery(ctx, id)
			})
		},
	}
	selection.addFlags(cmd, false)
	return cmd
}

func (p *program) logoutProgress() *cobra.Command {
	return &cobra.Command{
		Use:   "progress [CAUSE]",
		Short: "Show mass endings of the last day; of one under way, on a terminal, a bar until it is finished",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.adminClient()
			if err != nil {
				return err
			}
			if len(args) == 1 && terminal.IsTerminal(p.stderr) {
				return p.showProgress(cmd.Context(), c, args[0])
			}
			bulkLogouts, err := c.BulkLogouts(cmd.Context())
			if err != nil {
				return withExitCode(err)
			}
			if len(args) == 1 {
				bulk, err := findBulkLogout(cmd.Context(), c, args[0])
				if err != nil {
					return err
				}
				bulkLogouts = []admin.BulkLogout{bulk}
			}
			header := []string{"cause", "reason", "ended", "what", "sessions told", "remaining", "finished"}
			return printList(p, seqOf(bulkLogouts), header, func(e admin.BulkLogout) []string {
				return []string{e.Cause.ID, string(e.Cause.Reason), formatTime(e.StartedAt), describeSelector(e.Selector), strconv.Itoa(e.Done.Sessions), strconv.Itoa(e.Remaining.Sessions), formatFinished(e.Finished)}
			})
		},
	}
}

func formatFinished(at time.Time) string {
	if at.IsZero() {
		return "under way"
	}
	return formatTime(at)
}

func describeSelector(s storage.Selector) string {
	what := "sessions"
	switch {
	case s.Expired:
		what = "past their time"
	case s.Subject != "":
		what = "of " + s.Subject
	case s.AllUsers || s.Client != "":
		what = "everybody's"
	}
	if s.Client != "" {
		what += " at " + s.Client
	}
	return what
}
