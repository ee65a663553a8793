package main

import (
	"context"
	"errors"
	"fmt"
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
		Short: "Reports of ended sessions, and logout token deliveries",
		Long: "Reports of ended sessions, and the logout token deliveries that notify clients.\n\n" +
			"The trust of a report entry says what may still be trusted: " +
			"unknown, notified, expiring, confirmed, revoked. Its delivery says how\n" +
			"the notification stands: none, pending, done, failed, cancelled.",
	}
	cmd.AddCommand(
		p.logoutList(),
		p.logoutShow(),
		p.logoutDeliveries(),
		p.logoutRetry(),
		p.logoutCancel(),
		p.logoutProgress(),
		p.logoutVerify(),
	)
	return cmd
}

func (p *program) logoutList() *cobra.Command {
	var user, client, cause string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List reports, newest first, with their trust horizon",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.adminClient()
			if err != nil {
				return err
			}
			header := []string{"report", "ended", "kind", "reason", "by", "sub", "tokens", "clients"}
			return printList(
				p,
				c.Reports(cmd.Context(), queryOf("user", user, "client", client, "cause", cause)),
				header,
				func(r admin.Report) []string {
					return []string{
						r.ID,
						formatTime(r.EndedAt),
						terminationKind(r.Report),
						string(r.Cause.Reason),
						r.Cause.By,
						r.Subject,
						formatHorizonPart(r.Horizon.Tokens, r.Horizon.At),
						formatHorizonPart(r.Horizon.Clients, r.Horizon.At),
					}
				},
			)
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "of the user with this `NAME`")
	cmd.Flags().StringVar(&client, "client", "", "with an entry of the client with this `ID`")
	cmd.Flags().StringVar(&cause, "cause", "", "of the cause with this `ID`, such as a bulk logout")
	return cmd
}

// terminationKind returns the kind of the termination: of a session, a client session, or a grant without a session.
func terminationKind(r storage.Report) string {
	switch {
	case r.WholeSession:
		return "session"
	case r.SessionHash != "":
		return "client session"
	}
	return "grant"
}

func (p *program) logoutShow() *cobra.Command {
	var signed bool
	cmd := &cobra.Command{
		Use:   "show REPORT|DELIVERY",
		Short: "Show one report with every entry, or one delivery",
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
			return p.showReportOrDelivery(cmd.Context(), c, args[0])
		},
	}
	cmd.Flags().BoolVar(&signed, "signed", false, "print the report as a signed document, for `curfew logout verify`")
	return cmd
}

func (p *program) showReportOrDelivery(ctx context.Context, c *admin.Client, id string) error {
	reportErr := callAndPrint(
		ctx,
		p,
		func(ctx context.Context, c *admin.Client) (admin.Report, error) { return c.Report(ctx, id) },
		func(r admin.Report) error { return p.showReport(ctx, c, r) },
	)
	if !isNotFound(reportErr) {
		return reportErr
	}
	deliveryErr := callAndPrint(
		ctx,
		p,
		func(ctx context.Context, c *admin.Client) (admin.Delivery, error) { return c.Delivery(ctx, id) },
		func(d admin.Delivery) error { return p.printRecord(d) },
	)
	if isNotFound(deliveryErr) {
		return &exitError{code: exitNotFound, err: fmt.Errorf("no report and no delivery has the id %q", id)}
	}
	return deliveryErr
}

func isNotFound(err error) bool {
	var exitErr *exitError
	return errors.As(err, &exitErr) && exitErr.code == exitNotFound
}

// showReport prints a report, its entries and its deliveries.
func (p *program) showReport(ctx context.Context, c *admin.Client, r admin.Report) error {
	auditLines := make([]string, len(r.Audit))
	for i, seq := range r.Audit {
		auditLines[i] = strconv.FormatUint(seq, 10)
	}
	facts := [][2]string{
		{"report", r.ID},
		{"ended", formatTime(r.EndedAt)},
		{"kind", terminationKind(r.Report)},
		{"reason", string(r.Cause.Reason)},
		{"by", r.Cause.By},
		{"client", r.Cause.Client},
		{"cause", r.Cause.ID},
		{"session", r.SessionHash},
		{"sub", r.Subject},
		{"signed in", formatTime(r.AuthTime)},
		{"browser", templates.DeviceName(r.UserAgent)},
		{"address", r.Address},
		{"audit lines", strings.Join(auditLines, ", ")},
		{"deleted after", formatTime(r.DeleteAfter)},
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

func (p *program) logoutProgress() *cobra.Command {
	return &cobra.Command{
		Use:   "progress [CAUSE]",
		Short: "Show bulk logouts of the last day; for one that is running, on a terminal, a progress bar",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.adminClient()
			if err != nil {
				return err
			}
			if len(args) == 1 && terminal.IsTerminal(p.stderr) {
				_, err = p.showProgress(cmd.Context(), c, args[0])
				return err
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
			header := []string{"cause", "reason", "started", "users", "sessions notified", "remaining", "finished"}
			return printList(p, seqOf(bulkLogouts), header, bulkLogoutCells)
		},
	}
}

func bulkLogoutCells(b admin.BulkLogout) []string {
	return []string{
		b.Cause.ID,
		string(b.Cause.Reason),
		formatTime(b.StartedAt),
		describeSelector(b.Selector),
		strconv.Itoa(b.Done.Sessions),
		strconv.Itoa(b.Remaining.Sessions),
		formatFinished(b.Finished),
	}
}

func formatFinished(at time.Time) string {
	if at.IsZero() {
		return "running"
	}
	return formatTime(at)
}

// describeSelector names the users whose sessions a bulk logout ends.
func describeSelector(s storage.Selector) string {
	users := "some"
	switch {
	case s.Expired:
		users = "expired sessions"
	case s.Subject != "":
		users = s.Subject
	case s.AllUsers || s.Client != "":
		users = "all users"
	}
	if s.Client != "" {
		users += " of client " + s.Client
	}
	return users
}
