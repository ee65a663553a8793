package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/provider/admin"
)

func (p *program) keyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "The keys that sign tokens, and the key file"}
	cmd.AddCommand(p.keyList(), p.keyRotate(), p.keyRevoke(), p.keyBackup())
	return cmd
}

func (p *program) keyList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List keys, their use and their state",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return callAndPrint(
				cmd.Context(),
				p,
				func(ctx context.Context, c *admin.Client) (admin.KeyList, error) { return c.Keys(ctx) },
				p.showKeys,
			)
		},
	}
}

func (p *program) showKeys(l admin.KeyList) error {
	rows := make([][]string, len(l.Keys))
	for i, k := range l.Keys {
		rows[i] = []string{
			k.ID,
			k.Use,
			k.Alg,
			string(k.State),
			formatTime(k.Created),
			formatTime(k.ActiveAt),
			formatTime(k.RetiredAt),
			formatTime(k.ArchivedAt),
		}
	}
	return p.printTable(
		[]string{"id", "use", "alg", "state", "created", "signs from", "signs until", "published until"},
		rows,
	)
}

func (p *program) keyRotate() *cobra.Command {
	var request admin.RotateRequest
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Make new signing keys; they sign after clients have had time to fetch them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return callAndPrint(
				cmd.Context(),
				p,
				func(ctx context.Context, c *admin.Client) (admin.KeyList, error) { return c.RotateKeys(ctx, request) },
				p.showKeys,
			)
		},
	}
	cmd.Flags().BoolVar(
		&request.AtOnce,
		"at-once",
		false,
		"sign with them now; clients that cache keys may refuse tokens until they fetch the keys again",
	)
	return cmd
}

func (p *program) keyRevoke() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "revoke ID",
		Short: "Remove a compromised key at once; everything it signed becomes invalid",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.confirm(yes, "Remove the key "+args[0]+"?", "give --yes to confirm"); err != nil {
				return err
			}
			return callAndPrint(
				cmd.Context(),
				p,
				func(ctx context.Context, c *admin.Client) (admin.KeyList, error) { return c.RevokeKey(ctx, args[0]) },
				p.showKeys,
			)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it without confirmation")
	return cmd
}
