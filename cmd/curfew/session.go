package main

import (
	"cmp"
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

// queryOf returns a query with the given parameters, as alternating names and values. It omits empty values.
func queryOf(namesAndValues ...string) url.Values {
	query := url.Values{}
	for i := 0; i < len(namesAndValues); i += 2 {
		name := namesAndValues[i]
		value := namesAndValues[i+1]
		if value != "" {
			query.Set(name, value)
		}
	}
	return query
}

func clientNames(s admin.Session) string {
	names := make([]string, len(s.ClientSessions))
	for i, clientSession := range s.ClientSessions {
		names[i] = cmp.Or(clientSession.Name, clientSession.Client)
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
			return callAndPrint(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.Session, error) {
				return c.Session(ctx, args[0], offline)
			}, p.showSession)
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "as if offline access ended too")
	return cmd
}

func (p *program) showSession(s admin.Session) error {
	facts := [][2]string{
		{"id", s.ID},
		{"in audit and log", s.Hash},
		{"user", s.User},
		{"sub", s.Subject},
		{"signed in", formatTime(s.AuthTime)},
		{"by", strings.Join(s.AMR, ", ")},
		{"last active", formatTime(s.LastActive)},
		{"ends unless used", formatTime(s.IdleExpires)},
		{"ends", formatTime(s.Expires)},
		{"browser", templates.DeviceName(s.UserAgent)},
		{"address", s.Address},
	}
	if err := p.printFields(facts); err != nil {
		return err
	}
	if len(s.ClientSessions) > 0 {
		rows := make([][]string, len(s.ClientSessions))
		for i, clientSession := range s.ClientSessions {
			rows[i] = []string{
				clientSession.Name,
				clientSession.Client,
				formatTime(clientSession.Joined),
				formatTime(clientSession.LastUsed),
			}
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
	var request admin.TerminationRequest
	var all bool
	var g confirmation
	cmd := &cobra.Command{
		Use:   "end [ID...]",
		Short: "End sessions: some, one user's, all users', or their client sessions",
		Long: "End sessions. They are revoked at once; then every client with a client session is notified.\n\n" +
			"With --client the sessions stay active, and only their client sessions of that client end. " +
			"--all-users, and --client without a\n" +
			"user or session, need --yes; --dry-run counts sessions, client sessions and deliveries and ends nothing.",
		Example: "  curfew session end --user ann --all\n" +
			"  curfew session end --user ann --all --client atlas\n" +
			"  curfew session end --all-users --dry-run",
		RunE: func(cmd *cobra.Command, args []string) error {
			request.Sessions = args
			if err := checkSessionSelection(request, all); err != nil {
				return err
			}
			isOneUser := len(request.Sessions) > 0 || request.User != ""
			g.yes = g.yes || isOneUser // only a termination of many users needs a confirmation
			return g.run(
				cmd.Context(),
				p,
				request,
				"Continue?",
				func(ctx context.Context, c *admin.Client) (admin.TerminationResult, error) {
					return c.Terminate(ctx, request)
				},
			)
		},
	}
	f := cmd.Flags()
	f.StringVar(&request.User, "user", "", "sessions of the user with this `NAME`")
	f.BoolVar(&all, "all", false, "all sessions of that user")
	f.BoolVar(&request.AllUsers, "all-users", false, "sessions of all users")
	f.StringVar(&request.Client, "client", "", "only client sessions of the client with this `ID`")
	f.StringVar(&request.ExceptSession, "except", "", "except the session with this `ID`")
	f.BoolVar(&request.IncludeOffline, "offline", false, "end offline access too")
	g.addFlags(cmd)
	return cmd
}

// checkSessionSelection refuses a `session end` without a selection of sessions, or with several. all is the value of
// --all.
func checkSessionSelection(request admin.TerminationRequest, all bool) error {
	selections := 0
	for _, selected := range []bool{len(request.Sessions) > 0, request.User != "", request.AllUsers} {
		if selected {
			selections++
		}
	}
	switch {
	case selections > 1:
		return usageErrorf("session ids, --user and --all-users exclude each other")
	case selections == 0 && request.Client == "":
		return usageErrorf("no session selected: give session ids, --user NAME --all, --all-users or --client ID")
	case request.User != "" && !all && request.ExceptSession == "":
		return &exitError{
			code: exitUsage,
			err:  usageErrorf("--user ends several sessions"),
			hint: "add --all, or --except ID; `curfew session list --user " + request.User + "` shows them",
		}
	}
	return nil
}
