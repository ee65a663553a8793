package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (p *program) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check and show the configuration"}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "check",
			Short: "Check the configuration and report every problem",
			Args:  cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				cfg, err := p.loadConfig()
				if err == nil {
					fmt.Fprintf(p.stdout, "%s: valid; %s listens on %s\n", cfg.Source(), cfg.Issuer, cfg.Listen)
				}
				return err
			},
		},
		&cobra.Command{
			Use:   "print",
			Short: "Show the value and origin of every setting; secrets are hidden",
			Args:  cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				cfg, err := p.loadConfig()
				switch {
				case err != nil:
					return err
				case p.format == "json":
					return cfg.WriteJSON(p.stdout)
				}
				return cfg.WriteYAML(p.stdout)
			},
		},
	)
	return cmd
}
