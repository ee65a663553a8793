package main

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/storage"
)

func (p *program) scopeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scope",
		Short: "Show the scopes of APIs",
		Long: "Show the scopes of APIs. The setting scopes of the configuration declares them; a change needs a\n" +
			"restart of the server.",
	}
	cmd.AddCommand(p.scopeList())
	return cmd
}

func (p *program) scopeList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the scopes of APIs by name, with their audience and who may have them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return callAndPrint(cmd.Context(), p, func(ctx context.Context, c *admin.Client) ([]storage.APIScope, error) {
				return c.Scopes(ctx)
			}, func(scopes []storage.APIScope) error {
				rows := make([][]string, len(scopes))
				for i, s := range scopes {
					rows[i] = []string{
						s.Name,
						strings.Join(s.Audience, " "),
						cmp.Or(strings.Join(s.Clients, " "), "registered"),
						cmp.Or(strings.Join(s.Groups, ", "), "all users"),
					}
				}
				return p.printTable([]string{"scope", "audience", "clients", "groups"}, rows)
			})
		},
	}
}
