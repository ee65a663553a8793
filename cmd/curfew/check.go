package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/cmd/curfew/server"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/backup"
	"github.com/curfew-id/curfew/storage/bolt"
)

func (p *program) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a backup, or the store of a stopped server",
		Long: "Check a backup: its checksum, its schema, and every page of the store in it. " +
			"Without FILE, check the store in the data\n" +
			"folder; stop the server first. The records of each kind are counted. Nothing is changed.",
		Args: cobra.MaximumNArgs(1),
	}
	d := addDecryptionFlags(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 1 {
			return p.checkBackup(args[0], d)
		}
		cfg, err := p.loadConfig()
		if err != nil {
			return err
		}
		if cfg.Store.URL != "" {
			return usageErrorf("the records are in a PostgreSQL database: check it with PostgreSQL's own means (pg_amcheck)")
		}
		return p.checkStore(server.StorePath(cfg))
	}
	return cmd
}

// checked is the result of a check.
type checked struct {
	Backup *backup.Header `json:"backup,omitempty"` // nil for a store
	Counts map[string]int `json:"records"`
}

// checkStore checks the store of a stopped server.
func (p *program) checkStore(path string) error {
	contents, err := verifyStore(path)
	if err != nil {
		return err
	}
	return p.showChecked(checked{Counts: contents.Counts})
}

// verifyStore is bolt.Verify with hints.
func verifyStore(path string) (bolt.Contents, error) {
	contents, err := bolt.Verify(path)
	switch {
	case errors.Is(err, storage.ErrLocked):
		err = &exitError{
			code: exitFailed,
			err:  err,
			hint: "`curfew backup FILE` works while the server runs; check that file",
		}
	case errors.Is(err, storage.ErrNewer):
		err = &exitError{code: exitFailed, err: err, hint: "use the release that wrote it, or a newer one"}
	}
	return contents, err
}

// checkBackup checks a backup. It unpacks the store into a temporary folder that only this OS user can open.
func (p *program) checkBackup(path string, d *decryption) (err error) {
	folder, err := os.MkdirTemp("", "curfew-check-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	b, file, err := openBackup(path, d)
	if err != nil {
		return err
	}
	defer file.Close()
	store := filepath.Join(folder, "curfew.db")
	contents, err := unpackBackup(b, store)
	if err != nil {
		return err
	}
	return p.showChecked(checked{Backup: &b.Header, Counts: contents.Counts})
}

// unpackBackup writes the store in a backup to a new file and checks it.
func unpackBackup(b *backup.Reader, path string) (bolt.Contents, error) {
	if b.Header.Schema > bolt.Schema {
		return bolt.Contents{}, &exitError{
			code: exitFailed,
			err: fmt.Errorf("the backup has schema %d, this release knows schemas up to %d: %w",
				b.Header.Schema, bolt.Schema, storage.ErrNewer),
			hint: "use release " + b.Header.Version + ", which wrote it, or a newer one",
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return bolt.Contents{}, err
	}
	err = b.Copy(io.Writer(f))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return bolt.Contents{}, err
	}
	contents, err := verifyStore(path)
	if err == nil && (contents.StoreID != b.Header.StoreID || contents.Transaction != b.Header.Transaction) {
		err = backup.ErrDamaged
	}
	return contents, err
}

func (p *program) showChecked(c checked) error {
	if p.format == "json" {
		return p.printJSON(c)
	}
	fmt.Fprintln(p.stdout, "intact")
	if c.Backup != nil {
		if err := p.printFields(describeBackup(*c.Backup)); err != nil {
			return err
		}
	}
	var rows [][]string
	for _, kind := range slices.Sorted(maps.Keys(c.Counts)) {
		rows = append(rows, []string{kind, strconv.Itoa(c.Counts[kind])})
	}
	return p.printTable([]string{"records", "count"}, rows)
}

func (p *program) compactCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "compact",
		Short: "Make the store of a stopped server smaller",
		Long: "Copy the store of a stopped server without the free pages of removed records, and put the copy in place.\n" +
			"The server reuses free pages, so this is of use after a time with many more records than now. The disk needs\n" +
			"room for the copy. Sessions stay as they are.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := p.loadConfig()
			if err != nil {
				return err
			}
			if cfg.Store.URL != "" {
				return usageErrorf("the records are in a PostgreSQL database, which has its own means (VACUUM)")
			}
			before, after, err := server.CompactStore(cfg)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "compacted: %d bytes before, %d now\n", before, after)
			return err
		},
	}
}
