package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/cmd/curfew/server"
	"github.com/curfew-id/curfew/storage/postgres"
)

func (p *program) storeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "store", Short: "The database with the records"}
	cmd.AddCommand(p.storeMigrate())
	return cmd
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
