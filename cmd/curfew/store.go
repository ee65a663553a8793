package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/cmd/curfew/server"
	"github.com/curfew-id/curfew/storage/postgres"
	"github.com/curfew-id/curfew/storage/transfer"
)

func (p *program) storeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "store", Short: "The database with the records"}
	cmd.AddCommand(p.storeMigrate(), p.storeCopy())
	return cmd
}

// copyRequest has the flags of `curfew store copy`.
type copyRequest struct {
	from         string
	to           string
	schema       string
	passwordFile string
	dryRun       bool
}

func (p *program) storeCopy() *cobra.Command {
	var r copyRequest
	cmd := &cobra.Command{
		Use:   "copy --from bolt:FILE --to postgres://USER@HOST/DATABASE",
		Short: "Copy all records of a file to a PostgreSQL database",
		Long: "Copy all records of a file to a PostgreSQL database: sessions, tokens and pending deliveries included.\n" +
			"Stop the server first, and start it with store.url afterwards. The copy is one transaction: if it fails,\n" +
			"the database is as before, and the command can be given again. It counts the records of each kind in the\n" +
			"database.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.copyStore(cmd.Context(), r) },
	}
	cmd.Flags().StringVar(&r.from, "from", "", "the `STORE` to read: bolt:FILE, such as bolt:/var/lib/curfew/curfew.db")
	cmd.Flags().StringVar(&r.to, "to", "", "the `STORE` to write: postgres://USER@HOST/DATABASE")
	cmd.Flags().StringVar(&r.schema, "schema", postgres.DefaultSchema, "the `NAME` of the schema with the tables")
	cmd.Flags().StringVar(&r.passwordFile, "password-file", "", "the `FILE` with the password of the role")
	cmd.Flags().BoolVar(&r.dryRun, "dry-run", false, "copy, count, and keep nothing")
	return cmd
}

func (p *program) copyStore(ctx context.Context, r copyRequest) error {
	path, isFile := strings.CutPrefix(r.from, "bolt:")
	if !isFile || path == "" {
		return usageErrorf("--from must be bolt:FILE")
	}
	if _, err := os.Stat(path); err != nil {
		return err
	}
	if err := postgres.CheckURL(r.to); err != nil {
		return usageErrorf("--to %v", err)
	}
	options := postgres.Options{URL: r.to, Schema: r.schema}
	if r.passwordFile != "" {
		text, err := os.ReadFile(r.passwordFile)
		if err != nil {
			return err
		}
		options.Password = strings.TrimSpace(string(text))
	}
	file, err := server.OpenFile(path, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer file.Close()
	database, err := postgres.Open(ctx, options)
	if err != nil {
		return err
	}
	defer database.Close()
	counts, err := database.Import(ctx, r.dryRun, func(visit func(transfer.Record) error) error {
		return file.Export(ctx, p.countCopied(visit))
	})
	switch {
	case errors.Is(err, postgres.ErrNotEmpty):
		return &exitError{code: exitFailed, err: err, hint: "copy to a new schema (--schema), or drop this one"}
	case err != nil:
		return err
	}
	return p.showCopied(counts, r.dryRun)
}

// progressStep is the number of records after which a copy prints its progress.
const progressStep = 100_000

// countCopied returns a function that calls visit and prints the progress of the copy.
func (p *program) countCopied(visit func(transfer.Record) error) func(transfer.Record) error {
	copied := 0
	return func(r transfer.Record) error {
		copied++
		if copied%progressStep == 0 {
			fmt.Fprintf(p.stderr, "%d records\n", copied)
		}
		return visit(r)
	}
}

// showCopied prints how many records of each kind the database has.
func (p *program) showCopied(counts map[string]int, dryRun bool) error {
	if p.format == "json" {
		return p.printJSON(counts)
	}
	var rows [][]string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		if counts[kind] > 0 && kind != "state" {
			rows = append(rows, []string{kind, strconv.Itoa(counts[kind])})
		}
	}
	if err := p.printTable([]string{"records", "copied"}, rows); err != nil {
		return err
	}
	if dryRun {
		_, err := fmt.Fprintln(p.stderr, "nothing was kept")
		return err
	}
	return nil
}

func (p *program) storeMigrate() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the tables of the PostgreSQL database up to date",
		Long: "Bring the tables of the PostgreSQL database in store.url up to date with this release. " +
			"The role needs to be\n" +
			"allowed to create tables. `curfew serve` does the same at its start, unless store.migrate is off.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.migrateStore(cmd.Context()) },
	}
}

func (p *program) migrateStore(ctx context.Context) error {
	cfg, err := p.loadConfig()
	if err != nil {
		return err
	}
	if cfg.Store.URL == "" {
		return &exitError{
			code: exitUsage,
			err:  errors.New("store.url is not set"),
			hint: "the store in the data folder is brought up to date when the server starts",
		}
	}
	log, err := server.NewLogger(p.stderr, cfg.Log)
	if err != nil {
		return err
	}
	options, err := server.DatabaseOptions(cfg, log)
	if err != nil {
		return err
	}
	options.KeepSchema = false
	store, err := postgres.Open(ctx, options)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "the schema %s has version %d\n", cfg.Store.Schema, postgres.Schema())
	if err != nil {
		return errors.Join(err, store.Close())
	}
	return store.Close()
}
