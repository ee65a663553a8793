package main

import (
	"github.com/curfew-id/curfew/storage"
	"github.com/spf13/cobra"
)

func (p *program) clientLog() *cobra.Command {
	return &cobra.Command{
		Use:   "log ID",
		Short: "Show the last refused requests of a client, and why they were refused",
		Long: "Show the last refused requests of a client, and why they were refused: at most 20 since the server " +
			"started, newest first.\n" +
			"The last one is stored, unless the client registered itself: it is there after a restart.\n" +
			"The log of the server has all of them, with the same request IDs.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.adminClient()
			if err != nil {
				return err
			}
			refusals, err := c.Refusals(cmd.Context(), args[0])
			if err != nil {
				return withExitCode(err)
			}
			return printList(p, seqOf(refusals), []string{"at", "reason", "code", "param", "value", "request"},
				func(r storage.ClientRefusal) []string {
					return []string{formatTime(r.At), r.Reason, r.Code, r.Param, r.Value, r.RequestID}
				})
		},
	}
}
