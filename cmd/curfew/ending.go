package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/storage"
)

// guard is what stands before a command that ends much: see first, then say that it is meant.
type guard struct {
	yes, dryRun bool
}

func (g *guard) dryRunFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&g.dryRun, "dry-run", false, "count what would end, and end nothing")
}

func (g *guard) flags(cmd *cobra.Command) {
	g.dryRunFlag(cmd)
	cmd.Flags().BoolVar(&g.yes, "yes", false, "do it without asking")
}

// run counts what preview would end, or acts.
func (g *guard) run(ctx context.Context, p *program, preview admin.EndRequest, question string, act func(context.Context, *admin.Client) (admin.EndResult, error)) error {
	preview.DryRun = true
	look := func(ctx context.Context, c *admin.Client) (admin.EndResult, error) { return c.End(ctx, preview) }
	if g.dryRun {
		return p.end(ctx, look)
	}
	if !g.yes && isTerminal(p.stdin) {
		c, err := p.server()
		if err != nil {
			return err
		}
		result, err := look(ctx, c)
		if err != nil {
			return answered(err)
		}
		fmt.Fprintln(p.stderr, "This ends "+countText(result.Count)+".")
	}
	if err := p.confirmed(g.yes, question, "give --yes to do it, or --dry-run to see what it would do"); err != nil {
		return err
	}
	return p.end(ctx, act)
}

// end asks for an ending and shows what it did. A mass ending is over for everybody at once; the bar shows how many have been told.
func (p *program) end(ctx context.Context, act func(context.Context, *admin.Client) (admin.EndResult, error)) error {
	c, err := p.server()
	if err != nil {
		return err
	}
	result, err := act(ctx, c)
	if err != nil {
		return answered(err)
	}
	if result.More && isTerminal(p.stderr) {
		if err := p.follow(ctx, c, result.Cause); err != nil {
			return err
		}
		result.More = false
	}
	if p.format == "json" {
		return p.json(result)
	}
	return p.showEnd(result)
}

func (p *program) showEnd(r admin.EndResult) error {
	if r.DryRun {
		_, err := fmt.Fprintf(p.stdout, "would end %s; nothing was ended\n", countText(r.Count))
		return err
	}
	if r.Count == (storage.Count{}) {
		_, err := fmt.Fprintln(p.stdout, "done; there was nothing to end")
		return err
	}
	if _, err := fmt.Fprintf(p.stdout, "ended %s\n", countText(r.Count)); err != nil {
		return err
	}
	if r.More {
		fmt.Fprintf(p.stdout, "all of it is dead; applications are being told: curfew logout progress %s\n", r.Cause)
		return nil
	}
	hint := "curfew logout list --cause " + r.Cause
	if len(r.Reports) == 1 {
		hint = "curfew logout show " + r.Reports[0]
	}
	if len(r.Reports) > 0 {
		fmt.Fprintf(p.stdout, "what became of it: %s\n", hint)
	}
	return nil
}

func countText(c storage.Count) string {
	parts := []string{count(c.Sessions, "session"), count(c.Members, "application share") + " of sessions", count(c.Grants, "grant")}
	return strings.Join(parts, ", ") + "; " + count(c.Deliveries, "delivery")
}

// followEvery is how often the progress of a mass ending is asked for.
const followEvery = 200 * time.Millisecond

// follow shows the progress of a mass ending until it is finished. Interrupting it stops only the showing.
func (p *program) follow(ctx context.Context, c *admin.Client, cause string) error {
	var bar *progressbar.ProgressBar
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		ending, err := endingOf(ctx, c, cause)
		if err != nil {
			return err
		}
		done, total := ending.Done.Members+ending.Done.Sessions, ending.Remaining.Members+ending.Remaining.Sessions
		if total += done; bar == nil {
			bar = newBar(p.stderr, total, "telling applications")
		}
		bar.ChangeMax(max(total, 1))
		if err := bar.Set(done); err != nil {
			return fmt.Errorf("show progress: %w", err)
		}
		if !ending.Finished.IsZero() {
			return bar.Finish()
		}
		select {
		case <-ctx.Done():
			fmt.Fprintln(p.stderr)
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func newBar(w io.Writer, total int, what string) *progressbar.ProgressBar {
	return progressbar.NewOptions(max(total, 1), progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionShowCount(),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }))
}

func endingOf(ctx context.Context, c *admin.Client, cause string) (admin.MassEnding, error) {
	endings, err := c.Endings(ctx)
	if err != nil {
		return admin.MassEnding{}, answered(err)
	}
	for _, e := range endings {
		if e.Cause.ID == cause {
			return e, nil
		}
	}
	return admin.MassEnding{}, &failure{code: exitNotFound, err: fmt.Errorf("there is no mass ending %q of the last day", cause), hint: "`curfew logout progress` shows those there are"}
}
