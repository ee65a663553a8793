package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/provider/admin"
)

func (p *program) clientCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "client", Short: "Add, show and change clients, the apps that users sign in to"}
	cmd.AddCommand(
		p.clientAdd(),
		p.clientList(),
		p.clientShow(),
		p.clientSet(),
		p.clientDisable(),
		p.clientEnable(),
		p.clientRemove(),
		p.clientTestLogout(),
		p.clientLog(),
	)
	return cmd
}

const clientFlagsHelp = "The flags are the fields of client metadata " +
	"(RFC 7591, OpenID Connect Registration and the logout specifications, and\n" +
	"Curfew's own); --file takes all of them as one JSON object, client_secret included."

// clientFlags are the flags of `client add` and `client set`.
type clientFlags struct {
	recordFields
	secretStdin bool
}

func (f *clientFlags) addFlags(cmd *cobra.Command) {
	f.addMetadataFlags(cmd)
	f.addFileFlag(cmd, "client metadata")
	cmd.Flags().BoolVar(
		&f.secretStdin,
		"secret-stdin",
		false,
		"read the client_secret, of at least 32 characters, from stdin",
	)
}

// collect returns the client metadata from the flags, the file and stdin.
func (f *clientFlags) collect(p *program) (map[string]any, error) {
	if f.secretStdin && f.file == "-" {
		return nil, usageErrorf("stdin cannot be both the file and the secret")
	}
	metadata, err := f.recordFields.collect(p)
	if err != nil || !f.secretStdin {
		return metadata, err
	}
	secret, err := io.ReadAll(io.LimitReader(p.stdin, maxInput))
	if err != nil {
		return nil, fmt.Errorf("read the secret from stdin: %w", err)
	}
	metadata["client_secret"] = strings.TrimRight(string(secret), "\r\n")
	return metadata, nil
}

// showClient prints the stored record. The API returns a secret only when it has just stored that secret.
func (p *program) showClient(c admin.ClientRecord) error {
	if c.Secret != "" {
		fmt.Fprintln(p.stderr, "the client_secret is shown only now; Curfew stores its hash")
	}
	return p.printRecord(c)
}

func (p *program) clientAdd() *cobra.Command {
	var m clientFlags
	var presetName, appURL string
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Add a client and print its record; the client_secret is shown only now",
		Long: "Add a client and print its record. If no client_id or client_secret is given, Curfew makes one.\n\n" +
			"--preset fills in the paths and choices of a framework for the app at --url, " +
			"and says what to set in the app: " +
			strings.Join(presetNames(), ", ") + ". Flags and --file win over the preset.\n\n" + clientFlagsHelp,
		Example: "  curfew client add --client-name Atlas --redirect-uri https://atlas.example.org/callback \\\n" +
			"    --backchannel-logout-uri https://atlas.example.org/logout\n" +
			"  curfew client add --preset spring-security --url https://atlas.example.org\n" +
			"  curfew client add --file atlas.json",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			metadata, err := m.collect(p)
			if err != nil {
				return err
			}
			metadata, err = p.applyPreset(presetName, appURL, metadata)
			if err != nil {
				return err
			}
			if len(metadata) == 0 {
				return &exitError{
					code: exitUsage,
					err:  usageErrorf("no client metadata given"),
					hint: "`curfew client add --help` shows an example",
				}
			}
			return callAndPrint(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.ClientRecord, error) {
				return c.AddClient(ctx, metadata)
			}, p.showClient)
		},
	}
	m.addFlags(cmd)
	cmd.Flags().StringVar(&presetName, "preset", "", "fill in the metadata that fits the framework `NAME`")
	cmd.Flags().StringVar(&appURL, "url", "", "with --preset: the `URL` of the app")
	return cmd
}

// applyPreset returns the preset's metadata for the app at appURL, and prints the settings for the app. A field in
// given replaces the field of the preset. Without a preset, applyPreset returns given.
func (p *program) applyPreset(presetName, appURL string, given map[string]any) (map[string]any, error) {
	hasPreset := presetName != ""
	hasURL := appURL != ""
	if hasPreset != hasURL {
		return nil, usageErrorf("--preset and --url go together")
	}
	if !hasPreset {
		return given, nil
	}
	preset, err := findPreset(presetName)
	if err != nil {
		return nil, err
	}
	for _, setting := range preset.appSettings {
		fmt.Fprintln(p.stderr, "set in the app: "+setting)
	}
	metadata := preset.clientMetadata(appURL)
	maps.Copy(metadata, given)
	return metadata, nil
}

func (p *program) clientList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List clients and their logout channels",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.adminClient()
			if err != nil {
				return err
			}
			return printList(
				p,
				c.Clients(cmd.Context()),
				[]string{"client_id", "name", "logout channels", "state", "added", "by"},
				clientCells,
			)
		},
	}
}

func clientCells(c admin.ClientRecord) []string {
	state := "active"
	if c.Disabled {
		state = "disabled"
	}
	addedBy := "administrator"
	if c.Dynamic {
		addedBy = "registration"
	}
	return []string{
		c.ClientID,
		c.ClientName,
		strings.Join(logoutChannels(c), ", "),
		state,
		formatTime(c.Created),
		addedBy,
	}
}

func logoutChannels(c admin.ClientRecord) (channels []string) {
	if c.BackchannelLogoutURI != "" {
		channels = append(channels, "backchannel")
	}
	if c.FrontchannelLogoutURI != "" {
		channels = append(channels, "frontchannel")
	}
	return channels
}

func (p *program) clientShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show a client's metadata",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return callAndPrint(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.ClientRecord, error) {
				return c.Client(ctx, args[0])
			}, p.showClient)
		},
	}
}

func (p *program) clientSet() *cobra.Command {
	var m clientFlags
	var newSecret bool
	cmd := &cobra.Command{
		Use:   "set ID",
		Short: "Change a client's metadata or secret",
		Long: "Change a client's metadata: fields that are not given stay. A list replaces the previous list.\n" +
			"Access that the new metadata no longer allows ends, such as offline access with " +
			"--refresh-tokens session.\n\n" + clientFlagsHelp,
		Example: "  curfew client set atlas --consent skip --unset logo_uri\n  curfew client set atlas --new-secret",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			metadata, err := m.collect(p)
			if err != nil {
				return err
			}
			switch {
			case newSecret && len(metadata) > 0:
				return usageErrorf("--new-secret cannot be combined with other changes")
			case len(metadata) == 0 && !newSecret:
				return usageErrorf("nothing to change")
			}
			return callAndPrint(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.ClientRecord, error) {
				if newSecret {
					return c.RotateSecret(ctx, args[0])
				}
				return c.ChangeClient(ctx, args[0], metadata)
			}, p.showClient)
		},
	}
	m.addFlags(cmd)
	m.addUnsetFlag(cmd)
	cmd.Flags().BoolVar(&newSecret, "new-secret", false, "make a new client_secret; the old one is refused at once")
	return cmd
}

func (p *program) clientDisable() *cobra.Command {
	var g confirmation
	cmd := &cobra.Command{
		Use:   "disable ID",
		Short: "End all client sessions and grants of a client, notify it, and refuse its requests",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.run(
				cmd.Context(),
				p,
				admin.TerminationRequest{Client: args[0], IncludeOffline: true},
				fmt.Sprintf("Disable the client %s?", args[0]),
				func(ctx context.Context, c *admin.Client) (admin.TerminationResult, error) {
					return c.DisableClient(ctx, args[0])
				},
			)
		},
	}
	g.addFlags(cmd)
	return cmd
}

func (p *program) clientEnable() *cobra.Command {
	return &cobra.Command{
		Use:   "enable ID",
		Short: "Enable a disabled client",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return callAndPrint(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.ClientRecord, error) {
				return c.EnableClient(ctx, args[0])
			}, p.showClient)
		},
	}
}

func (p *program) clientRemove() *cobra.Command {
	var g confirmation
	cmd := &cobra.Command{
		Use:   "remove ID",
		Short: "End all client sessions and grants of a client, notify it, and remove it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.run(
				cmd.Context(),
				p,
				admin.TerminationRequest{Client: args[0], IncludeOffline: true},
				fmt.Sprintf("Remove the client %s for good?", args[0]),
				func(ctx context.Context, c *admin.Client) (admin.TerminationResult, error) {
					return c.RemoveClient(ctx, args[0])
				},
			)
		},
	}
	g.addFlags(cmd)
	return cmd
}

func (p *program) clientTestLogout() *cobra.Command {
	return &cobra.Command{
		Use:   "test-logout ID",
		Short: "Send a client a logout token for a session that does not exist, and explain its answer",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var result admin.LogoutTestResult
			err := callAndPrint(cmd.Context(), p, func(ctx context.Context, c *admin.Client) (admin.LogoutTestResult, error) {
				return c.TestLogout(ctx, args[0])
			}, func(t admin.LogoutTestResult) error {
				result = t
				return p.showLogoutTest(t)
			})
			if err == nil && result.URI != "" && !result.Confirmed {
				return &exitError{code: exitFailed, err: fmt.Errorf("%s would not count as notified", args[0])}
			}
			return err
		},
	}
}

func (p *program) showLogoutTest(t admin.LogoutTestResult) error {
	answer := t.Answer.Class
	if t.Answer.Status != 0 {
		answer = fmt.Sprint(t.Answer.Status)
	}
	return p.printFields([][2]string{
		{"sent to", t.URI},
		{"answer", answer},
		{"took", fmt.Sprintf("%d ms", t.Duration)},
		{"detail", t.Answer.Detail},
		{"meaning", t.Meaning},
	})
}
