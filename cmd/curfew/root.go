package main

import (
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/cmd/curfew/config"
)

// program has the streams and the flags that all commands share.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string

	configFile string // --config
	format     string // -o
}

const exitCodes = `Exit codes: 0 done; 1 failed; 2 wrong usage, input or configuration; 3 not found; 4 no server answers.`

// rootCommand makes the command line with all commands.
func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "curfew",
		Short:         "An OpenID Connect provider whose logout is real",
		Long:          "An OpenID Connect provider whose logout is real.\n\nCommands about users, clients, sessions, keys, logouts and the audit trail talk to the serving process through the\nsocket in its data folder, which the configuration names.\n\n" + exitCodes,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &exitError{
			code: exitUsage,
			err:  err,
			hint: "`" + cmd.CommandPath() + " --help` lists the commands and flags",
		}
	})
	root.PersistentFlags().
		StringVar(&p.configFile, "config", "", "configuration `FILE` (default: CURFEW_CONFIG, else curfew.yaml here if there is one)")
	root.PersistentFlags().StringVarP(&p.format, "output", "o", "table", "`FORMAT`: table, or json for programs")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if p.format != "table" && p.format != "json" {
			return usageErrorf("-o must be table or json, not %s", p.format)
		}
		return nil
	}
	root.AddCommand(
		p.serveCommand(),
		p.userCommand(),
		p.clientCommand(),
		p.sessionCommand(),
		p.logoutCommand(),
		p.auditCommand(),
		p.doctorCommand(),
		p.keyCommand(),
		p.registrationCommand(),
		p.configCommand(),
		p.healthcheckCommand(),
		p.versionCommand(),
	)
	requireKnownCommands(root)
	return root
}

// requireKnownCommands turns unknown commands and wrong arguments into usage errors.
func requireKnownCommands(cmd *cobra.Command) {
	if cmd.HasSubCommands() && cmd.RunE == nil {
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return &exitError{
				code: exitUsage,
				err:  usageErrorf("unknown command %q for %q", args[0], cmd.CommandPath()),
				hint: "`" + cmd.CommandPath() + " --help` lists the commands and flags",
			}
		}
	} else if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &exitError{code: exitUsage, err: err, hint: "usage: " + cmd.UseLine()}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		requireKnownCommands(sub)
	}
}

// loadConfig loads the configuration that the command line and the environment name.
func (p *program) loadConfig() (*config.Config, error) {
	file := p.configFile
	if file == "" {
		if i := slices.IndexFunc(p.environ, func(e string) bool { return strings.HasPrefix(e, "CURFEW_CONFIG=") }); i >= 0 {
			file = strings.TrimPrefix(p.environ[i], "CURFEW_CONFIG=")
		}
	}
	if file == "" {
		if _, err := os.Stat("curfew.yaml"); err == nil {
			file = "curfew.yaml"
		}
	}
	cfg, err := config.Load(file, p.environ)
	if err != nil && file == "" {
		err = &exitError{
			code: exitUsage,
			err:  err,
			hint: "no file was read: --config FILE or CURFEW_CONFIG names one, else it is curfew.yaml in the working directory",
		}
	}
	return cfg, err
}
