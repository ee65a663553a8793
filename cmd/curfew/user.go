package main

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/provider/admin"
)

func (p *program) userCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add, show and change users",
		Long:  "Add, show and change users. NAME is a login name, an e-mail address or a subject.",
	}
	cmd.AddCommand(
		p.userAdd(),
		p.userList(),
		p.userShow(),
		p.userSet(),
		p.userSetPassword(),
		p.userDisable(),
		p.userEnable(),
		p.userRemove(),
		p.userResetLink(),
		p.userInvite(),
		p.userEnrolLink(),
		p.userFactors(),
	)
	return cmd
}

// addClaimFlags adds flags for the usual claims; --file takes the other claims of Core §5.1.
func addClaimFlags(cmd *cobra.Command, m *recordFields) {
	for _, claim := range []string{"email", "name", "given_name", "family_name", "phone_number", "locale", "zoneinfo"} {
		m.addFlag(cmd, claim, reflect.TypeFor[string](), "")
	}
	m.addFlag(cmd, "email_verified", reflect.TypeFor[bool](), "the e-mail address is known to be the user's")
	m.addFlag(cmd, "groups", reflect.TypeFor[[]string](), "a group of the user; all flags together are the whole list")
	m.addFileFlag(cmd, "claims of OpenID Connect Core 1.0 section 5.1")
}

func (p *program) userAdd() *cobra.Command {
	var m recordFields
	var fromStdin, noPassword, invite bool
	cmd := &cobra.Command{
		Use:   "add [NAME]",
		Short: "Add a user",
		Long: "Add a user. The password is prompted for or read from stdin; in a file it is the field password.\n" +
			"For a user without a password, `curfew user reset-link` makes a link with which the user sets one.\n" +
			"With --invite that link is mailed: the user then sets the password, which also verifies the address.",
		Example: "  curfew user add ann --email ann@example.org\n" +
			"  curfew user add ann --email ann@example.org --invite\n  curfew user add --file ann.json",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if fromStdin && m.file == "-" {
				return usageErrorf("stdin cannot be both the file and the password")
			}
			fields, err := m.collect(p)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				fields["preferred_username"] = args[0]
			}
			if _, hasName := fields["preferred_username"]; !hasName {
				return &exitError{
					code: exitUsage,
					err:  usageErrorf("login name missing"),
					hint: "usage: " + cmd.UseLine(),
				}
			}
			_, hasPassword := fields["password"]
			mayPrompt := fromStdin || m.file == ""
			if invite {
				if _, hasEmail := fields["email"]; !hasEmail || hasPassword {
					return usageErrorf("--invite needs an e-mail address, and no password")
				}
				if _, given := fields["email_verified"]; !given {
					fields["email_verified"] = false
				}
			}
			if !hasPassword && !noPassword && !invite && mayPrompt {
				fields["password"], err = p.readPassword(fromStdin)
				if err != nil {
					return err
				}
			}
			return callAndPrint(
				cmd.Context(),
				p,
				func(ctx context.Context, c *admin.Client) (admin.User, error) {
					u, err := c.AddUser(ctx, fields)
					if err == nil && invite {
						_, err = c.Invite(ctx, admin.InvitationRequest{User: u.Subject})
						if err != nil {
							err = fmt.Errorf("the user was added; repeat with `curfew user invite %s`: %w", u.Subject, err)
						}
					}
					return u, err
				},
				func(u admin.User) error { return p.printRecord(u) },
			)
		},
	}
	addClaimFlags(cmd, &m)
	cmd.Flags().BoolVar(&invite, "invite", false, "mail the user a link that sets the password")
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from stdin")
	cmd.Flags().BoolVar(&noPassword, "no-password", false, "the user sets a password by a reset link")
	cmd.MarkFlagsMutuallyExclusive("password-stdin", "no-password", "invite")
	return cmd
}

func (p *program) userList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List users by login name",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.listUsers(cmd.Context(), "") },
	}
}

// listUsers shows the members of a group, or all users if group is empty.
func (p *program) listUsers(ctx context.Context, group string) error {
	c, err := p.adminClient()
	if err != nil {
		return err
	}
	return printList(
		p,
		c.Users(ctx, group),
		[]string{"name", "email", "full name", "state", "added", "sub"},
		func(u admin.User) []string {
			fullName, _ := u.Claims["name"].(string)
			return []string{u.Name, u.Email, fullName, userState(u), formatTime(u.Created), u.Subject}
		},
	)
}

func userState(u admin.User) string {
	switch {
	case u.Disabled:
		return "disabled"
	case !u.HasPassword:
		return "no password"
	}
	return "active"
}

func (p *program) userShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show a user",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return callAndPrint(
				cmd.Context(),
				p,
				func(ctx context.Context, c *admin.Client) (admin.User, error) { return c.User(ctx, args[0]) },
				func(u admin.User) error { return p.printRecord(u) },
			)
		},
	}
}

func (p *program) userSet() *cobra.Command {
	var m recordFields
	var keepOffline bool
	cmd := &cobra.Command{
		Use:     "set NAME",
		Short:   "Change a user; a new e-mail address ends the user's sessions and offline access",
		Example: "  curfew user set ann --given-name Ann --unset phone_number",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			fields, err := m.collect(p)
			if err != nil {
				return err
			}
			if len(fields) == 0 {
				return usageErrorf("nothing to change")
			}
			if keepOffline {
				fields["keep_offline"] = true
			}
			return callAndPrint(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.User, error) {
				return c.ChangeUser(ctx, args[0], fields)
			}, func(u admin.User) error { return p.printRecord(u) })
		},
	}
	addClaimFlags(cmd, &m)
	m.addFlag(cmd, "preferred_username", reflect.TypeFor[string](), "the login name")
	m.addUnsetFlag(cmd)
	cmd.Flags().BoolVar(
		&keepOffline,
		"keep-offline",
		false,
		"keep offline access, which a new e-mail address ends otherwise",
	)
	return cmd
}

func (p *program) userSetPassword() *cobra.Command {
	var fromStdin, keepOffline bool
	cmd := &cobra.Command{
		Use:   "set-password NAME",
		Short: "Set a user's password, which ends the user's sessions and offline access",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			secret, err := p.readPassword(fromStdin)
			if err != nil {
				return err
			}
			change := admin.PasswordChange{Password: secret, KeepOffline: keepOffline}
			return p.endAndShow(
				cmd.Context(),
				func(ctx context.Context, c *admin.Client) (admin.TerminationResult, error) {
					return c.SetPassword(ctx, args[0], change)
				},
			)
		},
	}
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from stdin")
	cmd.Flags().BoolVar(&keepOffline, "keep-offline", false, "keep offline access, which ends otherwise")
	return cmd
}

func (p *program) userDisable() *cobra.Command {
	var g confirmation
	cmd := &cobra.Command{
		Use:   "disable NAME",
		Short: "End a user's sessions and offline access, and refuse their sign-ins",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			g.yes = true // it can be undone by enable
			return g.run(
				cmd.Context(),
				p,
				admin.TerminationRequest{User: args[0], IncludeOffline: true},
				"",
				func(ctx context.Context, c *admin.Client) (admin.TerminationResult, error) {
					return c.DisableUser(ctx, args[0])
				},
			)
		},
	}
	g.addDryRunFlag(cmd)
	return cmd
}

func (p *program) userEnable() *cobra.Command {
	return &cobra.Command{
		Use:   "enable NAME",
		Short: "Enable a disabled user",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return callAndPrint(
				cmd.Context(),
				p,
				func(ctx context.Context, c *admin.Client) (admin.User, error) { return c.EnableUser(ctx, args[0]) },
				func(u admin.User) error { return p.printRecord(u) },
			)
		},
	}
}

func (p *program) userRemove() *cobra.Command {
	var g confirmation
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "End a user's sessions and offline access, and remove the user; the subject is never used again",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.run(
				cmd.Context(),
				p,
				admin.TerminationRequest{User: args[0], IncludeOffline: true},
				fmt.Sprintf("Remove the user %s for good?", args[0]),
				func(ctx context.Context, c *admin.Client) (admin.TerminationResult, error) {
					return c.RemoveUser(ctx, args[0])
				},
			)
		},
	}
	g.addFlags(cmd)
	return cmd
}

func (p *program) userResetLink() *cobra.Command {
	cmd := p.userLink(
		"usable once, until %s; anyone who has it can sign in as %s\n",
		func(ctx context.Context, c *admin.Client, user string, r admin.ResetLinkRequest) (admin.ResetLink, error) {
			return c.MakeResetLink(ctx, user, r)
		},
	)
	cmd.Use = "reset-link NAME"
	cmd.Short = "Make a link, usable once, with which a user sets a new password"
	return cmd
}

func (p *program) userEnrolLink() *cobra.Command {
	cmd := p.userLink(
		"usable once, until %s; it needs the password of %s, if there is one\n",
		func(ctx context.Context, c *admin.Client, user string, r admin.ResetLinkRequest) (admin.ResetLink, error) {
			return c.MakeEnrolLink(ctx, user, r)
		},
	)
	cmd.Use = "enrol-link NAME"
	cmd.Short = "Make a link, usable once, with which a user who lost every factor sets up a new one"
	cmd.Long = "Make a link, usable once, with which a user who lost every factor sets up a passkey or an\n" +
		"authenticator app. A user with a password gives it first. Using the link ends the user's sessions and\n" +
		"offline access. It leaves other factors: `curfew user factors remove NAME all` removes what was lost."
	return cmd
}

// userLink returns a command that makes a link with create. It prints the URL, and a notice with the expiry and the
// user.
func (p *program) userLink(
	notice string,
	create func(context.Context, *admin.Client, string, admin.ResetLinkRequest) (admin.ResetLink, error),
) *cobra.Command {
	var lifetime string
	cmd := &cobra.Command{
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := config.ParseDuration(lifetime)
			if err != nil {
				return usageErrorf("--lifetime %q: %w", lifetime, err)
			}
			request := admin.ResetLinkRequest{Lifetime: int(d / time.Second)}
			return callAndPrint(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.ResetLink, error) {
				return create(ctx, c, args[0], request)
			}, func(l admin.ResetLink) error {
				fmt.Fprintf(p.stderr, notice, formatTime(l.Expires), args[0])
				_, err := fmt.Fprintln(p.stdout, l.URL)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&lifetime, "lifetime", "1h", "how long the link is valid, at most 7d")
	return cmd
}
