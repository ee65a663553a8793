package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/curfew-id/curfew/cmd/curfew/server"
)

// gcPercent is how much the heap may grow before Go collects garbage, in percent of the live heap. The live heap is
// small, because the records are in the memory-mapped store. With Go's default of 100, the collector would use a fifth
// of all CPU to free a few megabytes.
const gcPercent = 400

func (p *program) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the provider",
		Long: "Run the provider until SIGTERM or SIGINT. " +
			"It then answers 503 at /readyz, finishes the requests under way, stops\n" +
			"delivering logout tokens between two attempts, and closes the store; allow it ten seconds. " +
			"SIGHUP loads the certificate again.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.serve(cmd.Context())
		},
	}
}

// serve opens the server and runs it until ctx is cancelled.
func (p *program) serve(ctx context.Context) error {
	cfg, err := p.loadConfig()
	if err != nil {
		return err
	}
	log, err := server.NewLogger(p.stderr, cfg.Log)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if err := server.SetDefaultLogger(p.stderr, cfg.Log); err != nil {
		return err
	}
	version := readVersionInfo().Version
	s, err := server.Open(ctx, server.Options{
		Config:         cfg,
		Log:            log,
		Version:        version,
		ReadinessDelay: server.ReadinessDelay,
	})
	if err != nil {
		return err
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	log.InfoContext(ctx, "serving",
		"issuer", cfg.Issuer,
		"listen", s.Address().String(),
		"data", string(cfg.Data),
		"version", version)
	notifySystemd(log, daemon.SdNotifyReady)
	stopNotifying := context.AfterFunc(ctx, func() { notifySystemd(log, daemon.SdNotifyStopping) })
	defer stopNotifying()
	if err := s.Run(ctx, hangup); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	log.InfoContext(ctx, "stopped")
	return nil
}

// notifySystemd sends a state to systemd (sd_notify(3)), for units of Type=notify. It does nothing if systemd did not
// start the process.
func notifySystemd(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("systemd not notified", "err", err)
	}
}
