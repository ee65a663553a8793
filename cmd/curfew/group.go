package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/provider/admin"
)

func (p *program) groupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "group",
		Short: "Show groups, and add and remove their members",
		Long: "Show groups, and add and remove their members. A group exists while it has a member.\n" +
			"The field admit_groups of a client names the groups whose members may sign in to it.",
	}
	cmd.AddCommand(p.groupList(), p.groupMembers(), p.groupJoin(), p.groupLeave())
	return cmd
}

func (p *program) groupList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List groups by name",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return callAndPrint(cmd.Context(), p, func(ctx context.Context, c *admin.Client) ([]admin.Group, error) {
				return c.Groups(ctx)
			}, func(groups []admin.Group) error {
				rows := make([][]string, len(groups))
				for i, g := range groups {
					rows[i] = []string{g.Name, strconv.Itoa(g.Members)}
				}
				return p.printTable([]string{"group", "members"}, rows)
			})
		},
	}
}

func (p *program) groupMembers() *cobra.Command {
	return &cobra.Command{
		Use:   "members GROUP",
		Short: "List the members of a group by login name",
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return p.listUsers(cmd.Context(), args[0]) },
	}
}

func (p *program) groupJoin() *cobra.Command {
	return &cobra.Command{
		Use:     "join GROUP NAME",
		Short:   "Make a user a member of a group",
		Example: "  curfew group join staff ann",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return callAndPrint(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.User, error) {
				return c.JoinGroup(ctx, args[0], args[1])
			}, func(u admin.User) error { return p.printRecord(u) })
		},
	}
}

func (p *program) groupLeave() *cobra.Command {
	return &cobra.Command{
		Use:   "leave GROUP NAME",
		Short: "Take a user out of a group, and end the access that depended on it",
		Long: "Take a user out of a group. The user's sessions at the clients that no longer admit the user end,\n" +
			"with their offline access and tokens, and the clients are notified.",
		Example: "  curfew group leave staff ann",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.endAndShow(
				cmd.Context(),
				func(ctx context.Context, c *admin.Client) (admin.TerminationResult, error) {
					return c.LeaveGroup(ctx, args[0], args[1])
				},
			)
		},
	}
}
