package main

import (
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/cmd/curfew/config"
)

// program has the streams, the environment and the flags that all commands use.
type program struct {
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	environ []string // in the form of os.Environ

	configFile string // --config
	format     string // -o: table or json
}

const exitCodes = "Exit codes: 0 done; 1 failed; 2 wrong usage, input or configuration; " +
	"3 not found; 4 no server answers."

// rootCommand returns the command curfew with all its subcommands.
func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "curfew",
		Short: "An OpenID Connect provider whose logout is real",
		Long: "An OpenID Connect provider whose logout is real.\n\n" +
			"Commands about users, clients, sessions, keys, logouts and the audit trail " +
			"talk to the serving process through the\n" +
			"socket in its data folder, which the configuration names.\n\n" + exitCodes,
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
	root.PersistentFlags().StringVar(
		&p.configFile,
		"config",
		"",
		"configuration `FILE` (default: CURFEW_CONFIG, else curfew.yaml here if there is one)",
	)
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
		p.groupCommand(),
		p.scopeCommand(),
		p.clientCommand(),
		p.sessionCommand(),
		p.logoutCommand(),
		p.auditCommand(),
		p.doctorCommand(),
		p.keyCommand(),
		p.mailCommand(),
		p.registrationCommand(),
		p.configCommand(),
		p.storeCommand(),
		p.backupCommand(),
		p.restoreCommand(),
		p.checkCommand(),
		p.compactCommand(),
		p.healthcheckCommand(),
		p.versionCommand(),
	)
	requireKnownCommands(root)
	return root
}

// requireKnownCommands makes cmd and its subcommands return usage errors for unknown subcommands and wrong arguments.
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

// loadConfig loads the configuration file, if there is one, and the settings of the environment.
func (p *program) loadConfig() (*config.Config, error) {
	file := p.findConfigFile()
	cfg, err := config.Load(file, p.environ)
	if err != nil && file == "" {
		err = &exitError{
			code: exitUsage,
			err:  err,
			hint: "no file was read: --config FILE or CURFEW_CONFIG names one, " +
				"else it is curfew.yaml in the working directory",
		}
	}
	return cfg, err
}

// findConfigFile returns the file in --config, the file in CURFEW_CONFIG, or curfew.yaml in the working directory: the
// first of them that there is. It returns "" if there is none.
func (p *program) findConfigFile() string {
	if p.configFile != "" {
		return p.configFile
	}
	for _, variable := range p.environ {
		file, isConfigFile := strings.CutPrefix(variable, "CURFEW_CONFIG=")
		if isConfigFile && file != "" {
			return file
		}
	}
	const defaultFile = "curfew.yaml"
	if _, err := os.Stat(defaultFile); err != nil {
		return ""
	}
	return defaultFile
}
