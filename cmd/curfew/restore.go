package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/cmd/curfew/server"
	"github.com/curfew-id/curfew/storage/backup"
)

func (p *program) restoreCommand() *cobra.Command {
	var accept, newIssuer, yes bool
	cmd := &cobra.Command{
		Use:   "restore FILE | --accept",
		Short: "Restore a backup, and end everything in it",
		Long: "Restore a backup into the data folder of a stopped server. The backup does not know what was ended after\n" +
			"it was made, so the restore ends everything in it: all sessions, background access, codes, links, consents and\n" +
			"remembered devices. All users sign in again, and the next start notifies the apps. Signing keys are new. The\n" +
			"key file has to be in place. The store that is replaced is kept beside the new one.\n\n" +
			"--accept does the same with the store in the data folder, if `curfew serve` refuses it because it is older\n" +
			"than the one that was served last.",
		Args: cobra.MaximumNArgs(1),
	}
	flags := cmd.Flags()
	flags.BoolVar(&accept, "accept", false, "accept the older store in the data folder; no FILE")
	flags.BoolVar(&newIssuer, "new-issuer", false, "the backup may be of another issuer than the configuration's")
	flags.BoolVar(&yes, "yes", false, "do it without confirmation")
	d := addDecryptionFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if accept == (len(args) == 1) {
			return usageErrorf("name the FILE of a backup, or give --accept")
		}
		cfg, err := p.loadConfig()
		if err != nil {
			return err
		}
		if cfg.Store.URL != "" {
			return usageErrorf("the records are in a PostgreSQL database: restore that by its own means")
		}
		if err := p.confirm(yes, "End all sessions and background access?", "give --yes to confirm"); err != nil {
			return err
		}
		var restored server.Restored
		if accept {
			restored, err = server.AcceptStore(cmd.Context(), cfg, operator())
		} else {
			restored, err = p.restore(cmd.Context(), cfg, args[0], d, newIssuer)
		}
		if err != nil {
			return err
		}
		return p.showRestored(restored)
	}
	return cmd
}

// operator returns the author of a restore for the audit trail.
func operator() string {
	if u, err := user.Current(); err == nil {
		return "admin:" + u.Username
	}
	return "admin"
}

// restore unpacks a backup beside the store, checks it, and puts it in place.
func (p *program) restore(
	ctx context.Context, cfg *config.Config, path string, d *decryption, newIssuer bool,
) (restored server.Restored, err error) {
	release, err := server.HoldStore(cfg)
	if err != nil {
		return restored, err
	}
	defer func() { err = errors.Join(err, release()) }()
	b, file, err := openBackup(path, d)
	if err != nil {
		return restored, err
	}
	defer file.Close()
	if err := checkIssuer(b.Header, cfg, newIssuer); err != nil {
		return restored, err
	}
	unpacked := server.StorePath(cfg) + ".restoring"
	if err := os.RemoveAll(unpacked); err != nil { // of a restore that was interrupted
		return restored, err
	}
	defer os.Remove(unpacked) // fails if the store was put in place
	if _, err := unpackBackup(b, unpacked); err != nil {
		return restored, err
	}
	h := b.Header
	return server.ReplaceStore(ctx, cfg, unpacked, operator(), map[string]string{
		"backup_made":        h.Created.UTC().Format(time.RFC3339),
		"backup_store":       h.StoreID,
		"backup_transaction": strconv.FormatUint(h.Transaction, 10),
	})
}

// checkIssuer returns an error if the backup is of another issuer.
func checkIssuer(h backup.Header, cfg *config.Config, newIssuer bool) error {
	if h.Issuer == cfg.Issuer || newIssuer {
		return nil
	}
	return &exitError{
		code: exitFailed,
		err:  fmt.Errorf("the backup is of the issuer %s, and the configuration has %s", h.Issuer, cfg.Issuer),
		hint: "to move to the new issuer, give --new-issuer; then change the issuer at every app",
	}
}

func (p *program) showRestored(r server.Restored) error {
	if p.format == "json" {
		return p.printJSON(r)
	}
	fmt.Fprintf(p.stdout, "restored; ended %s and %s\n",
		pluralize(r.Ended.Sessions, "session"), pluralize(r.Ended.Grants, "grant"))
	if r.Replaced != "" {
		fmt.Fprintf(p.stdout, "the store that was served before is %s; remove it when you no longer need it\n", r.Replaced)
	}
	fmt.Fprintln(p.stdout, "start the server to notify the apps: curfew logout deliveries --state pending")
	fmt.Fprintln(
		p.stdout,
		"repeat what was changed after the backup: passwords, and users and clients that were disabled or removed",
	)
	return nil
}
