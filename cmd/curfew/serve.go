package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// gcPercent is how much memory is used, in percent of what is alive, before garbage is collected: little is alive (records are in the
// store, which is mapped), so Go's default of 100 would spend a fifth of all CPU on collecting a few megabytes again and again.
const gcPercent = 400

func (p *program) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the provider",
		Long: "Run the provider until SIGTERM or SIGINT. It then says it is not ready, finishes the requests under way, stops telling\n" +
			"applications between two attempts, and closes the store; give it ten seconds. SIGHUP reads the certificate again.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.loadConfig()
			if err != nil {
				return err
			}
			log, err := newLogger(p.stderr, cfg.Log)
			if err != nil {
				return err
			}
			if os.Getenv("GOGC") == "" {
				debug.SetGCPercent(gcPercent)
			}
			if err := setDefaultLogger(p.stderr, cfg.Log); err != nil {
				return err
			}
			s, err := openServer(cmd.Context(), cfg, log)
			if err != nil {
				return err
			}
			s.readinessDelay = readinessDelay
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			log.InfoContext(cmd.Context(), "serving", "issuer", cfg.Issuer, "listen", s.publicListener.Addr().String(), "data", string(cfg.Data), "version", readVersionInfo().Version)
			if err := s.run(cmd.Context(), hangup); err != nil {
				return fmt.Errorf("serve: %w", err)
			}
			log.InfoContext(cmd.Context(), "stopped")
			return nil
		},
	}
}
