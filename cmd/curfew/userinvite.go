package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/provider/admin"
)

func (p *program) userInvite() *cobra.Command {
	var email string
	cmd := &cobra.Command{
		Use:   "invite [NAME]",
		Short: "Mail a link with which a user without a password sets one",
		Long: "Mail a link with which a user without a password sets one. The link works once, for seven days,\n" +
			"and verifies the address. With --email, the owner of an address makes an account; that needs sign_up.mode.",
		Example: "  curfew user invite ann\n  curfew user invite --email ben@example.org",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			request := admin.InvitationRequest{Email: email}
			if len(args) == 1 {
				request.User = args[0]
			}
			if (request.User == "") == (request.Email == "") {
				return usageErrorf("NAME or --email is needed, and not both")
			}
			return callAndPrint(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.Invitation, error) {
				return c.Invite(ctx, request)
			}, func(i admin.Invitation) error {
				_, err := fmt.Fprintf(p.stdout, "mail to %s queued; its link works until %s\n", i.Email, formatTime(i.Expires))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&email, "email", "", "invite the owner of this address to make an account")
	return cmd
}
