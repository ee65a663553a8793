package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/cmd/curfew/server"
	"github.com/curfew-id/curfew/provider/mail"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

func (p *program) mailCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "mail", Short: "The mail server"}
	cmd.AddCommand(p.mailTest())
	return cmd
}

func (p *program) mailTest() *cobra.Command {
	return &cobra.Command{
		Use:   "test ADDRESS",
		Short: "Send a test message with the settings of the configuration",
		Long: "Send a test message with the settings of the configuration, at once and from this process. " +
			"It needs no running server.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			to := args[0]
			if !storage.IsEmail(to) {
				return usageErrorf("ADDRESS must be an e-mail address, not %q", to)
			}
			cfg, err := p.loadConfig()
			if err != nil {
				return err
			}
			smtp, err := server.MailServer(cfg)
			if err != nil {
				return err
			}
			if smtp == nil {
				return usageErrorf("mail.host is not set: name the mail server in the configuration")
			}
			issuer, err := url.Parse(cfg.Issuer)
			if err != nil {
				return err
			}
			message, err := templates.Mail(templates.MailPage{Kind: templates.MailTest, Host: issuer.Hostname()})
			if err != nil {
				return err
			}
			if err := smtp.Send(cmd.Context(), mail.To(to, message)); err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "%s accepted the message to %s\n", smtp.Address(), to)
			return err
		},
	}
}
