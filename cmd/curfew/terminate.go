package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/cmd/curfew/terminal"
	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/storage"
)

// confirmation holds the flags of a command that ends sessions: --yes and --dry-run.
type confirmation struct {
	yes    bool
	dryRun bool
}

func (g *confirmation) addDryRunFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&g.dryRun, "dry-run", false, "count what would end, and end nothing")
}

func (g *confirmation) addFlags(cmd *cobra.Command) {
	g.addDryRunFlag(cmd)
	cmd.Flags().BoolVar(&g.yes, "yes", false, "do it without confirmation")
}

// run asks the operator for a confirmation, calls act and shows the result. preview must select the sessions that act
// ends. With --dry-run, run only counts them.
func (g *confirmation) run(
	ctx context.Context,
	p *program,
	preview admin.TerminationRequest,
	question string,
	act func(context.Context, *admin.Client) (admin.TerminationResult, error),
) error {
	preview.DryRun = true
	countOnly := func(ctx context.Context, c *admin.Client) (admin.TerminationResult, error) {
		return c.Terminate(ctx, preview)
	}
	if g.dryRun {
		return p.endAndShow(ctx, countOnly)
	}
	if !g.yes && terminal.IsTerminal(p.stdin) {
		c, err := p.adminClient()
		if err != nil {
			return err
		}
		result, err := countOnly(ctx, c)
		if err != nil {
			return withExitCode(err)
		}
		fmt.Fprintln(p.stderr, "This ends "+formatTerminationCount(result.Count)+".")
	}
	if err := p.confirm(g.yes, question, "give --yes to confirm, or --dry-run to count what it would end"); err != nil {
		return err
	}
	return p.endAndShow(ctx, act)
}

// endAndShow calls act and shows its result. A bulk logout revokes all its sessions at once and then queues the
// notifications. On a terminal, a progress bar shows the number of sessions whose notifications are queued.
func (p *program) endAndShow(
	ctx context.Context,
	act func(context.Context, *admin.Client) (admin.TerminationResult, error),
) error {
	c, err := p.adminClient()
	if err != nil {
		return err
	}
	result, err := act(ctx, c)
	if err != nil {
		return withExitCode(err)
	}
	if result.InProgress && terminal.IsTerminal(p.stderr) {
		done, err := p.showProgress(ctx, c, result.CauseID)
		if err != nil {
			return err
		}
		result.InProgress = false
		if result.CountIncomplete {
			result.Count, result.CountIncomplete = done, false
		}
	}
	if p.format == "json" {
		return p.printJSON(result)
	}
	return p.showEndResult(result)
}

func (p *program) showEndResult(r admin.TerminationResult) error {
	if r.DryRun {
		_, err := fmt.Fprintf(p.stdout, "would end %s; nothing was ended\n", formatTerminationCount(r.Count))
		return err
	}
	if r.Count == (storage.TerminationCount{}) {
		_, err := fmt.Fprintln(p.stdout, "done; no session or offline access ended")
		return err
	}
	more := ""
	if r.CountIncomplete {
		more = ", and more that are still being counted"
	}
	if _, err := fmt.Fprintf(p.stdout, "ended %s%s\n", formatTerminationCount(r.Count), more); err != nil {
		return err
	}
	if r.InProgress {
		fmt.Fprintf(
			p.stdout,
			"all sessions are revoked; clients are being notified: curfew logout progress %s\n",
			r.CauseID,
		)
		return nil
	}
	hint := "curfew logout list --cause " + r.CauseID
	if len(r.Reports) == 1 {
		hint = "curfew logout show " + r.Reports[0]
	}
	if len(r.Reports) > 0 {
		fmt.Fprintf(p.stdout, "report: %s\n", hint)
	}
	return nil
}

func formatTerminationCount(c storage.TerminationCount) string {
	parts := []string{
		pluralize(c.Sessions, "session"),
		pluralize(c.ClientSessions, "client session"),
		pluralize(c.Grants, "grant"),
	}
	return strings.Join(parts, ", ") + "; " + pluralize(c.Deliveries, "delivery")
}

// progressInterval is the time between two requests of showProgress.
const progressInterval = 200 * time.Millisecond

// showProgress shows a progress bar until the bulk logout is finished, and returns what it ended. An interrupt ends the
// bar but not the bulk logout.
func (p *program) showProgress(
	ctx context.Context,
	c *admin.Client,
	cause string,
) (ended storage.TerminationCount, err error) {
	var bar *progressbar.ProgressBar
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	for {
		bulk, err := findBulkLogout(ctx, c, cause)
		if err != nil {
			return ended, err
		}
		done := bulk.Done.ClientSessions + bulk.Done.Sessions
		total := done + bulk.Remaining.ClientSessions + bulk.Remaining.Sessions
		if bar == nil {
			bar = newProgressBar(p.stderr, total, "notifying clients")
		}
		bar.ChangeMax(max(total, 1))
		if err := bar.Set(done); err != nil {
			return ended, fmt.Errorf("show progress: %w", err)
		}
		if !bulk.Finished.IsZero() {
			return bulk.Done, bar.Finish()
		}
		select {
		case <-ctx.Done():
			fmt.Fprintln(p.stderr)
			return ended, ctx.Err()
		case <-tick.C:
		}
	}
}

func newProgressBar(w io.Writer, total int, description string) *progressbar.ProgressBar {
	return progressbar.NewOptions(
		max(total, 1),
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(description),
		progressbar.OptionShowCount(),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }),
	)
}

// findBulkLogout returns the bulk logout with the id of a cause.
func findBulkLogout(ctx context.Context, c *admin.Client, cause string) (admin.BulkLogout, error) {
	bulkLogouts, err := c.BulkLogouts(ctx)
	if err != nil {
		return admin.BulkLogout{}, withExitCode(err)
	}
	for _, bulk := range bulkLogouts {
		if bulk.Cause.ID == cause {
			return bulk, nil
		}
	}
	return admin.BulkLogout{}, &exitError{
		code: exitNotFound,
		err:  fmt.Errorf("no bulk logout of the last day has the cause %q", cause),
		hint: "`curfew logout progress` lists them",
	}
}
