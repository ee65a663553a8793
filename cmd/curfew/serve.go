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

// gcPercent is the heap's growth, in percent of the live heap, at which Go collects garbage. The live heap is small,
// since the records are in the store, which is mapped. Go's default of 100 would spend a fifth of all CPU on
// collecting a few megabytes.
const gcPercent = 400

func (p *program) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the provider",
		Long: "Run the provider until SIGTERM or SIGINT. It then answers 503 at /readyz, finishes the requests under way, stops\n" +
			"delivering logout tokens between two attempts, and closes the store; allow it ten seconds. SIGHUP loads the certificate again.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
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
			s, err := server.Open(cmd.Context(), server.Options{
				Config:         cfg,
				Log:            log,
				Version:        readVersionInfo().Version,
				ReadinessDelay: server.ReadinessDelay,
			})
			if err != nil {
				return err
			}
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			log.InfoContext(cmd.Context(), "serving",
				"issuer", cfg.Issuer,
				"listen", s.Address().String(),
				"data", string(cfg.Data),
				"version", readVersionInfo().Version)
			// Both do nothing if systemd did not start the process.
			notifySystemd(log, daemon.SdNotifyReady)
			defer context.AfterFunc(cmd.Context(), func() { notifySystemd(log, daemon.SdNotifyStopping) })()
			if err := s.Run(cmd.Context(), hangup); err != nil {
				return fmt.Errorf("serve: %w", err)
			}
			log.InfoContext(cmd.Context(), "stopped")
			return nil
		},
	}
}

// notifySystemd sends a state to the service manager (sd_notify(3)), for units of Type=notify.
func notifySystemd(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("systemd not notified", "err", err)
	}
}
