package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/provider/admin"
)

func (p *program) userFactors() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "factors",
		Short: "Show and remove a user's passkeys and second factors",
	}
	cmd.AddCommand(p.userFactorsList(), p.userFactorsRemove())
	return cmd
}

func (p *program) userFactorsList() *cobra.Command {
	return &cobra.Command{
		Use:   "list NAME",
		Short: "List a user's passkeys, authenticator app, recovery codes and remembered browsers",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return callAndPrint(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.FactorList, error) {
				return c.Factors(ctx, args[0])
			}, p.showFactors)
		},
	}
}

func (p *program) showFactors(l admin.FactorList) error {
	if len(l.Factors) == 0 {
		fmt.Fprintln(p.stderr, "none")
		return nil
	}
	rows := make([][]string, len(l.Factors))
	for i, f := range l.Factors {
		count := ""
		if f.Count > 0 {
			count = strconv.Itoa(f.Count)
		}
		rows[i] = []string{f.ID, f.Kind, f.Name, count, formatTime(f.Created), formatTime(f.LastUsed)}
	}
	return p.printTable([]string{"id", "kind", "name", "count", "added", "last used"}, rows)
}

func (p *program) userFactorsRemove() *cobra.Command {
	var g confirmation
	cmd := &cobra.Command{
		Use:   "remove NAME FACTOR",
		Short: "Remove a factor by its id, or all, and end the user's sessions and offline access",
		Long: "Remove a factor by its id, or all of them, and end the user's sessions and offline access.\n" +
			"A user who then lacks a factor that is required sets one up at the next sign-in.",
		Example: "  curfew user factors remove ann totp\n  curfew user factors remove ann all",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.run(
				cmd.Context(),
				p,
				admin.TerminationRequest{User: args[0], IncludeOffline: true},
				fmt.Sprintf("Remove the factor %s of the user %s?", args[1], args[0]),
				func(ctx context.Context, c *admin.Client) (admin.TerminationResult, error) {
					return c.RemoveFactor(ctx, args[0], args[1])
				},
			)
		},
	}
	g.addFlags(cmd)
	return cmd
}
