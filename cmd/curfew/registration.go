package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/provider/admin"
)

func (p *program) registrationCommand() *cobra.Command {
	token := &cobra.Command{Use: "token", Short: "Initial access tokens, which allow their bearer to register clients"}
	token.AddCommand(p.tokenAdd(), p.tokenList(), p.tokenRemove())
	cmd := &cobra.Command{Use: "registration", Short: "Clients that register themselves (RFC 7591)"}
	cmd.AddCommand(token)
	return cmd
}

func (p *program) tokenAdd() *cobra.Command {
	var expires, defaults string
	var request admin.InitialAccessTokenRequest
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Make an initial access token; it is shown only now",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			request.Name = args[0]
			if expires != "" {
				d, err := config.ParseDuration(expires)
				if err != nil {
					return usageErrorf("--expires %q: %w", expires, err)
				}
				request.Expires = time.Now().Add(d)
			}
			if defaults != "" {
				text, err := p.readInput(defaults)
				if err != nil {
					return err
				}
				if !json.Valid(text) {
					return usageErrorf("%s is not JSON", defaults)
				}
				request.Defaults = text
			}
			return callAndPrint(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.InitialAccessToken, error) {
				return c.AddInitialAccessToken(ctx, request)
			}, p.showNewToken)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&request.MaxUses, "uses", 1, "how many clients may be registered with it; -1: any number")
	flags.StringVar(
		&expires,
		"expires",
		"",
		"how long it is valid, such as 30d (default: until it is used up or removed)",
	)
	flags.StringVar(
		&defaults,
		"defaults",
		"",
		"metadata of its clients that they do not give themselves: a JSON object in `FILE`, or stdin for -",
	)
	return cmd
}

func (p *program) showNewToken(t admin.InitialAccessToken) error {
	fmt.Fprintln(p.stderr, "the token is shown only now; Curfew stores its hash")
	if cfg, err := p.loadConfig(); err == nil && cfg.Registration.Mode == "off" {
		fmt.Fprintln(p.stderr, "not usable yet: registration.mode is off")
	}
	return p.printRecord(t)
}

func (p *program) tokenList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List initial access tokens",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.adminClient()
			if err != nil {
				return err
			}
			tokens, err := c.InitialAccessTokens(cmd.Context())
			if err != nil {
				return withExitCode(err)
			}
			return printList(
				p,
				seqOf(tokens),
				[]string{"name", "uses left", "made", "expires", "defaults"},
				func(t admin.InitialAccessToken) []string {
					uses := strconv.Itoa(t.UsesLeft)
					if t.UsesLeft < 0 {
						uses = "any"
					}
					return []string{t.Name, uses, formatTime(t.Created), formatTime(t.Expires), string(t.Defaults)}
				},
			)
		},
	}
}

func (p *program) tokenRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove an initial access token; clients registered with it stay",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.adminClient()
			if err != nil {
				return err
			}
			return withExitCode(c.RemoveInitialAccessToken(cmd.Context(), args[0]))
		},
	}
}
