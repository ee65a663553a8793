package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/cmd/curfew/terminal"
	"github.com/curfew-id/curfew/provider/admin"
)

func (p *program) doctorCommand() *cobra.Command {
	var noProbe bool
	cmd := &cobra.Command{
		Use:   "doctor [CLIENT]",
		Short: "Find clients that a logout cannot reach, and how long they would stay signed in",
		Long: "Find clients that a logout cannot reach, and how long their sessions and tokens would stay valid.\n\n" +
			"It sends each back channel a request without a logout token. This signs nobody out, and a correct client " +
			"answers 400. --no-probe sends no request.\n" +
			"TOKENS REMAIN and CLIENT SESSION REMAINS say how long these stay valid if a notification does not " +
			"arrive.\n" +
			"The exit code is 1 if there is any problem.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := ""
			if len(args) == 1 {
				client = args[0]
			}
			var diagnosis admin.Diagnosis // kept for the exit code
			diagnose := func(ctx context.Context, c *admin.Client) (admin.Diagnosis, error) {
				var err error
				diagnosis, err = c.Diagnose(ctx, client, !noProbe)
				return diagnosis, err
			}
			err := callAndPrint(cmd.Context(), p, diagnose, p.showDiagnosis)
			if err != nil || diagnosis.Healthy {
				return err
			}
			count := len(diagnosis.Problems)
			for _, c := range diagnosis.Clients {
				count += len(c.Problems)
			}
			for _, u := range diagnosis.Upstreams {
				count += len(u.Problems)
			}
			return &exitError{code: exitFailed, err: fmt.Errorf("%s found", pluralize(count, "problem"))}
		},
	}
	cmd.Flags().BoolVar(&noProbe, "no-probe", false, "send no request; check only whether the addresses may be called")
	return cmd
}

func (p *program) showDiagnosis(d admin.Diagnosis) error {
	if len(d.Clients) > 0 {
		rows := make([][]string, len(d.Clients))
		for i, c := range d.Clients {
			rows[i] = []string{
				c.Client,
				strings.Join(c.Channels, ", "),
				yesNo(c.CanConfirm),
				formatRemaining(c.Tokens),
				formatRemaining(c.ClientSession),
				yesNo(c.OfflineAccess),
				formatEndpoint(c),
			}
		}
		header := []string{
			"client",
			"logout channels",
			"can confirm",
			"tokens remain",
			"client session remains",
			"offline",
			"back channel",
		}
		if err := p.printTable(header, rows); err != nil {
			return err
		}
	}
	if err := p.showUpstreams(d.Upstreams); err != nil {
		return err
	}
	problems := slices.Clone(d.Problems)
	for _, c := range d.Clients {
		for _, problem := range c.Problems {
			problems = append(problems, c.Client+": "+problem)
		}
	}
	var notes []string
	for _, u := range d.Upstreams {
		for _, problem := range u.Problems {
			problems = append(problems, u.Upstream+": "+problem)
		}
		for _, note := range u.Notes {
			notes = append(notes, u.Upstream+": "+note)
		}
	}
	for _, c := range d.Clients {
		for _, note := range c.Notes {
			notes = append(notes, c.Client+": "+note)
		}
		if c.NeverSignedIn && c.LastRefusal == nil { // a refusal is already among the problems
			notes = append(notes, c.Client+": no user has signed in to it yet")
		}
	}
	if len(notes) > 0 {
		fmt.Fprintln(p.stdout)
	}
	for _, note := range notes {
		fmt.Fprintln(p.stdout, "note: "+terminal.Sanitize(note))
	}
	if len(problems) == 0 {
		_, err := fmt.Fprintln(p.stdout, "\nno problem found")
		return err
	}
	fmt.Fprintln(p.stdout)
	for _, problem := range problems {
		fmt.Fprintln(p.stdout, "- "+terminal.Sanitize(problem))
	}
	return nil
}

// showUpstreams prints how logouts travel between the upstreams and Curfew, and how long a chain of providers trusts a
// session after a lost notification.
func (p *program) showUpstreams(upstreams []admin.UpstreamDiagnosis) error {
	if len(upstreams) == 0 {
		return nil
	}
	rows := make([][]string, len(upstreams))
	for i, u := range upstreams {
		channels := strings.Join(u.Channels, ", ")
		if !u.Probed {
			channels = "not asked"
		}
		chain := formatRemaining(u.Chain)
		if len(u.Unknown) > 0 {
			chain += "; unknown: " + strings.Join(u.Unknown, ", ")
		}
		rows[i] = []string{u.Upstream, channels, formatRemaining(u.Session), chain}
	}
	fmt.Fprintln(p.stdout)
	return p.printTable([]string{"upstream", "announces", "session here remains", "whole chain remains"}, rows)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// formatRemaining says how long tokens or a client session are trusted at most after a logout, if the client is not
// notified of it.
func formatRemaining(r admin.TrustLimit) string {
	switch {
	case !r.Applies:
		return ""
	case r.Unbounded:
		return "unknown"
	case r.Seconds == 0:
		return "not at all"
	}
	return "up to " + config.FormatDuration(time.Duration(r.Seconds)*time.Second)
}

func formatEndpoint(c admin.ClientDiagnosis) string {
	switch {
	case c.Disabled:
		return "disabled"
	case c.Endpoint == nil:
		return ""
	case !c.Endpoint.Reachable:
		return "not reachable: " + c.Endpoint.ErrorClass
	case c.Endpoint.Status == 0: // it may be called, and --no-probe was given
		return "not called"
	}
	return fmt.Sprintf("answers %d", c.Endpoint.Status)
}
