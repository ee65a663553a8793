package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/templates"
)

func (p *program) sessionCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "session", Short: "List, show and end sessions"}
	cmd.AddCommand(p.sessionList(), p.sessionShow(), p.sessionEnd())
	return cmd
}

func (p *program) sessionList() *cobra.Command {
	var user, client string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List active sessions: all, one user's, or those of a client",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.adminClient()
			if err != nil {
				return err
			}
			header := []string{"id", "user", "signed in", "last active", "ends", "browser", "address", "clients"}
			return printList(
				p,
				c.Sessions(cmd.Context(), queryOf("user", user, "client", client)),
				header,
				func(s admin.Session) []string {
					return []string{
						s.ID,
						s.User,
						formatTime(s.AuthTime),
						formatTime(s.LastActive),
						formatTime(s.IdleExpires),
						templates.DeviceName(s.UserAgent),
						s.Address,
						clientNames(s),
					}
				},
			)
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "of the user with this `NAME`")
	cmd.Flags().StringVar(&client, "client", "", "of the client with this `ID`")
	return cmd
}

// queryOf makes a query of names and values, leaving out those without a value.
func queryOf(pairs ...string) url.Values {
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	return query
}

func clientNames(s admin.Session) string {
	names := make([]string, len(s.ClientSessions))
	for i, m := range s.ClientSessions {
		if names[i] = m.Name; names[i] == "" {
			names[i] = m.Client
		}
	}
	return strings.Join(names, ", ")
}

func (p *program) sessionShow() *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a session and what would remain if it ended now",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.Session, error) {
				return c.Session(ctx, args[0], offline)
			}, p.showSession)
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "as if offline access ended too")
	return cmd
}

func (p *program) showSession(s admin.Session) error {
	facts := [][2]string{
		{
			"id",
			s.ID,
		}, {"in audit and log", s.Hash}, {"user", s.User}, {"sub", s.Subject}, {"signed in", formatTime(s.AuthTime)}, {"by", strings.Join(s.AMR, ", ")},
		{
			"last active",
			formatTime(s.LastActive),
		}, {"ends unless used", formatTime(s.IdleExpires)}, {"ends", formatTime(s.Expires)}, {"browser", templates.DeviceName(s.UserAgent)}, {"address", s.Address},
	}
	if err := p.printFields(facts); err != nil {
		return err
	}
	if len(s.ClientSessions) > 0 {
		rows := make([][]string, len(s.ClientSessions))
		for i, m := range s.ClientSessions {
			rows[i] = []string{m.Name, m.Client, formatTime(m.Joined), formatTime(m.LastUsed)}
		}
		fmt.Fprintln(p.stdout)
		if err := p.printTable([]string{"client", "client_id", "joined", "last used"}, rows); err != nil {
			return err
		}
	}
	if s.Horizon == nil {
		return nil
	}
	fmt.Fprintln(p.stdout, "\nIf it ended now and no client could be notified:")
	s.Horizon.Clients.Notifying = 0 // the estimate assumes that no client is notified
	return p.printFields(horizonFields(*s.Horizon))
}

func (p *program) sessionEnd() *cobra.Command {
	var q admin.TerminationRequest
	var all bool
	var g confirmation
	cmd := &cobra.Command{
		Use:   "end [ID...]",
		Short: "End sessions: some, one user's, all users', or their client sessions",
		Long: "End sessions. They are revoked at once; then every client with a client session is notified.\n\n" +
			"With --client the sessions stay active, and only their client sessions of that client end. --all-users, and --client without a\n" +
			"user or session, need --yes; --dry-run counts sessions, client sessions and deliveries and ends nothing.",
		Example: "  curfew session end --user ann --all\n  curfew session end --user ann --all --client atlas\n  curfew session end --all-users --dry-run",
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Sessions = args
			switch {
			case q.User != "" && len(args) > 0, q.User != "" && q.AllUsers, q.AllUsers && len(args) > 0:
				return usageErrorf("session ids, --user and --all-users exclude each other")
			case q.User != "" && !all && q.ExceptSession == "":
				return &exitError{
					code: exitUsage,
					err:  usageErrorf("--user ends several sessions"),
					hint: "add --all, or --except ID; `curfew session list --user " + q.User + "` shows them",
				}
			case len(args) == 0 && q.User == "" && !q.AllUsers && q.Client == "":
				return usageErrorf(
					"no session selected: give session ids, --user NAME --all, --all-users or --client ID",
				)
			}
			bulk := q.AllUsers || q.Client != "" && q.User == "" && len(args) == 0
			g.yes = g.yes || !bulk
			return g.run(
				cmd.Context(),
				p,
				q,
				"Continue?",
				func(ctx context.Context, c *admin.Client) (admin.TerminationResult, error) {
					return c.Terminate(ctx, q)
				},
			)
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.User, "user", "", "sessions of the user with this `NAME`")
	f.BoolVar(&all, "all", false, "all sessions of that user")
	f.BoolVar(&q.AllUsers, "all-users", false, "sessions of all users")
	f.StringVar(&q.Client, "client", "", "only client sessions of the client with this `ID`")
	f.StringVar(&q.ExceptSession, "except", "", "except the session with this `ID`")
	f.BoolVar(&q.IncludeOffline, "offline", false, "end offline access too")
	g.addFlags(cmd)
	return cmd
}
