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
	token := &cobra.Command{Use: "token", Short: "Initial access tokens: whoever has one may register clients"}
	token.AddCommand(p.tokenAdd(), p.tokenList(), p.tokenRemove())
	cmd := &cobra.Command{Use: "registration", Short: "Clients that register themselves (RFC 7591)"}
	cmd.AddCommand(token)
	return cmd
}

func (p *program) tokenAdd() *cobra.Command {
	var expires, defaults string
	q := admin.InitialTokenRequest{}
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Make an initial access token; it is shown once",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Name = args[0]
			if expires != "" {
				d, err := config.ParseDuration(expires)
				if err != nil {
					return usage("--expires %q: %w", expires, err)
				}
				q.Expires = time.Now().Add(d)
			}
			if defaults != "" {
				text, err := p.input(defaults)
				if err != nil {
					return err
				}
				if !json.Valid(text) {
					return usage("%s is not JSON", defaults)
				}
				q.Defaults = text
			}
			return ask(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.InitialToken, error) {
				return c.AddInitialToken(ctx, q)
			}, func(t admin.InitialToken) error {
				fmt.Fprintln(p.stderr, "the token is shown this once; Curfew keeps only its hash")
				if cfg, err := p.configuration(); err == nil && cfg.Registration.Mode == "off" {
					fmt.Fprintln(p.stderr, "nobody can use it yet: registration.mode is off")
				}
				return p.record(t)
			})
		},
	}
	cmd.Flags().IntVar(&q.Uses, "uses", 1, "how many clients may be registered with it; -1: any number")
	cmd.Flags().StringVar(&expires, "expires", "", "how long it is good, as 30d (default: until it is used up or removed)")
	cmd.Flags().StringVar(&defaults, "defaults", "", "what its clients get where they say nothing: a JSON object in `FILE`, or stdin for -")
	return cmd
}

func (p *program) tokenList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List initial access tokens",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.server()
			if err != nil {
				return err
			}
			tokens, err := c.InitialTokens(cmd.Context())
			if err != nil {
				return answered(err)
			}
			return list(p, each(tokens), []string{"name", "uses left", "made", "expires", "defaults"}, func(t admin.InitialToken) []string {
				uses := strconv.Itoa(t.Uses)
				if t.Uses < 0 {
					uses = "any"
				}
				return []string{t.Name, uses, moment(t.Created), moment(t.Expires), string(t.Defaults)}
			})
		},
	}
}

func (p *program) tokenRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove an initial access token; clients registered with it stay",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.server()
			if err != nil {
				return err
			}
			return answered(c.RemoveInitialToken(cmd.Context(), args[0]))
		},
	}
}
