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

	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/storage"
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
			c, err := p.server()
			if err != nil {
				return err
			}
			header := []string{"report", "ended", "what", "reason", "by", "sub", "tokens", "applications"}
			return list(p, c.Reports(cmd.Context(), given("user", user, "client", client, "cause", cause)), header, func(r admin.Report) []string {
				return []string{r.ID, moment(r.At), whatEnded(r.Report), string(r.Cause.Reason), r.Cause.By, r.Subject, scopeText(r.Horizon.Tokens, r.Horizon.At), scopeText(r.Horizon.Apps, r.Horizon.At)}
			})
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "of the person with this `NAME`")
	cmd.Flags().StringVar(&client, "client", "", "that concerned the client with this `ID`")
	cmd.Flags().StringVar(&cause, "cause", "", "of one act, such as a mass ending")
	return cmd
}

func whatEnded(r storage.Report) string {
	switch {
	case r.Whole:
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
			c, err := p.server()
			if err != nil {
				return err
			}
			if signed {
				token, err := c.SignedReport(cmd.Context(), args[0])
				if err == nil {
					_, err = fmt.Fprintln(p.stdout, token)
				}
				return answered(err)
			}
			err = ask(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.Report, error) { return c.Report(ctx, args[0]) }, func(r admin.Report) error {
				return p.showReport(cmd.Context(), c, r)
			})
			if exitCodeOf(err) != exitNotFound {
				return err
			}
			delivery := ask(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.Delivery, error) { return c.Delivery(ctx, args[0]) }, func(d admin.Delivery) error { return p.record(d) })
			if exitCodeOf(delivery) == exitNotFound {
				return &failure{code: exitNotFound, err: fmt.Errorf("there is no report and no delivery %q", args[0])}
			}
			return delivery
		},
	}
	cmd.Flags().BoolVar(&signed, "signed", false, "the report as a signed document, for `curfew logout verify`")
	return cmd
}

func exitCodeOf(err error) int {
	f := (*failure)(nil)
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
		{"report", r.ID}, {"ended", moment(r.At)}, {"what", whatEnded(r.Report)}, {"reason", string(r.Cause.Reason)}, {"by", r.Cause.By}, {"client", r.Cause.Client},
		{"act", r.Cause.ID}, {"session", r.Session}, {"sub", r.Subject}, {"signed in", moment(r.AuthTime)}, {"browser", browser(r.UserAgent)}, {"address", r.Address},
		{"audit lines", strings.Join(audit, ", ")}, {"kept until", moment(r.Keep)},
	}
	if err := p.facts(append(facts, horizonFacts(r.Horizon)...)); err != nil {
		return err
	}
	if len(r.Horizon.Rows) > 0 {
		rows := make([][]string, len(r.Horizon.Rows))
		for i, row := range r.Horizon.Rows {
			rows[i] = rowCells(row)
		}
		fmt.Fprintln(p.stdout)
		if err := p.table(rowHeader(), rows); err != nil {
			return err
		}
	}
	var deliveries []admin.Delivery
	for d, err := range c.Deliveries(ctx, given("report", r.ID)) {
		if err != nil {
			return answered(err)
		}
		deliveries = append(deliveries, d)
	}
	if len(deliveries) == 0 {
		return nil
	}
	fmt.Fprintln(p.stdout)
	return list(p, each(deliveries), deliveryHeader(), deliveryCells)
}

func deliveryHeader() []string {
	return []string{"delivery", "client", "state", "attempts", "next", "last answer", "meaning"}
}

func deliveryCells(d admin.Delivery) []string {
	next := ""
	if d.State == storage.DeliveryPending {
		next = moment(d.Next)
	}
	return []string{d.ID, d.Client, string(d.State), strconv.Itoa(d.Attempts), next, answerText(d.Answer), d.Meaning}
}

func (p *program) logoutDeliveries() *cobra.Command {
	var state, client, report string
	cmd := &cobra.Command{
		Use:   "deliveries",
		Short: "List the deliveries that tell applications, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.server()
			if err != nil {
				return err
			}
			return list(p, c.Deliveries(cmd.Context(), given("state", state, "client", client, "report", report)), deliveryHeader(), deliveryCells)
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only in this `STATE`: pending, done, failed, cancelled")
	cmd.Flags().StringVar(&client, "client", "", "to the client with this `ID`")
	cmd.Flags().StringVar(&report, "report", "", "of the report with this `ID`")
	return cmd
}

// several are the deliveries that a command is about: named ones, or all of a state.
type several struct {
	failed, pending bool
	client          string
}

func (s *several) flags(cmd *cobra.Command, pending bool) {
	cmd.Flags().BoolVar(&s.failed, "failed", false, "all that were given up")
	if pending {
		cmd.Flags().BoolVar(&s.pending, "pending", false, "all that wait for their next try")
	}
	cmd.Flags().StringVar(&s.client, "client", "", "of all these only those to the client with this `ID`")
}

// each does something to deliveries that are named, or to all of the states that are asked for.
func (s *several) each(ctx context.Context, p *program, ids []string, act func(context.Context, *admin.Client, string) (admin.Delivery, error)) error {
	all := s.failed || s.pending
	if all == (len(ids) > 0) {
		return &failure{code: exitUsage, err: usage("give deliveries, or --failed for all that were given up"), hint: "`curfew logout deliveries --state failed` shows them"}
	}
	c, err := p.server()
	if err != nil {
		return err
	}
	for state, asked := range map[storage.DeliveryState]bool{storage.DeliveryFailed: s.failed, storage.DeliveryPending: s.pending} {
		if !asked {
			continue
		}
		for d, err := range c.Deliveries(ctx, given("state", string(state), "client", s.client)) {
			if err != nil {
				return answered(err)
			}
			ids = append(ids, d.ID)
		}
	}
	done := make([]admin.Delivery, 0, len(ids))
	for _, id := range ids {
		d, err := act(ctx, c, id)
		if told := (*admin.Error)(nil); all && errors.As(err, &told) && told.Status == http.StatusConflict {
			continue // it was delivered meanwhile
		} else if err != nil {
			return answered(err)
		}
		done = append(done, d)
	}
	return list(p, each(done), deliveryHeader(), deliveryCells)
}

func (p *program) logoutRetry() *cobra.Command {
	var which several
	cmd := &cobra.Command{
		Use:   "retry [DELIVERY...]",
		Short: "Try deliveries again now, those that were given up, too",
		RunE: func(cmd *cobra.Command, args []string) error {
			return which.each(cmd.Context(), p, args, func(ctx context.Context, c *admin.Client, id string) (admin.Delivery, error) {
				return c.RetryDelivery(ctx, id)
			})
		},
	}
	which.flags(cmd, true)
	return cmd
}

func (p *program) logoutCancel() *cobra.Command {
	var which several
	cmd := &cobra.Command{
		Use:   "cancel [DELIVERY...]",
		Short: "Give pending deliveries up, or take note of failed ones; what their holders may trust stays as it was",
		RunE: func(cmd *cobra.Command, args []string) error {
			return which.each(cmd.Context(), p, args, func(ctx context.Context, c *admin.Client, id string) (admin.Delivery, error) {
				return c.CancelDelivery(ctx, id)
			})
		},
	}
	which.flags(cmd, false)
	return cmd
}

func (p *program) logoutProgress() *cobra.Command {
	return &cobra.Command{
		Use:   "progress [CAUSE]",
		Short: "Show mass endings of the last day; of one under way, on a terminal, a bar until it is finished",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.server()
			if err != nil {
				return err
			}
			if len(args) == 1 && isTerminal(p.stderr) {
				return p.follow(cmd.Context(), c, args[0])
			}
			endings, err := c.Endings(cmd.Context())
			if err != nil {
				return answered(err)
			}
			if len(args) == 1 {
				one, err := endingOf(cmd.Context(), c, args[0])
				if err != nil {
					return err
				}
				endings = []admin.MassEnding{one}
			}
			header := []string{"cause", "reason", "ended", "what", "sessions told", "remaining", "finished"}
			return list(p, each(endings), header, func(e admin.MassEnding) []string {
				return []string{e.Cause.ID, string(e.Cause.Reason), moment(e.At), selectorText(e.Selector), strconv.Itoa(e.Done.Sessions), strconv.Itoa(e.Remaining.Sessions), finished(e.Finished)}
			})
		},
	}
}

func finished(at time.Time) string {
	if at.IsZero() {
		return "under way"
	}
	return moment(at)
}

func selectorText(s storage.Selector) string {
	what := "sessions"
	switch {
	case s.Overdue:
		what = "past their time"
	case s.Subject != "":
		what = "of " + s.Subject
	case s.Everyone || s.Client != "":
		what = "everybody's"
	}
	if s.Client != "" {
		what += " at " + s.Client
	}
	return what
}
