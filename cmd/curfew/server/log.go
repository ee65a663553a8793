package server

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/cmd/curfew/terminal"
	"github.com/curfew-id/curfew/provider/web"
)

// NewLogger writes the log to w: JSON for programs, text for a terminal.
func NewLogger(w io.Writer, cfg config.Log) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		return nil, fmt.Errorf("read log.level: %w", err)
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewJSONHandler(w, options)
	if cfg.Format == "text" || cfg.Format == "auto" && terminal.IsTerminal(w) {
		handler = slog.NewTextHandler(w, options)
	}
	return slog.New(web.LogHandler{Handler: handler}), nil
}

// SetDefaultLogger sets the logger of zitadel/oidc, which uses the default logger of slog. It raises the level info
// to warn: at info the library lists the few routes that it mounts itself, which looks like a list of all routes.
func SetDefaultLogger(w io.Writer, cfg config.Log) error {
	if cfg.Level == "info" {
		cfg.Level = "warn"
	}
	log, err := NewLogger(w, cfg)
	if err == nil {
		slog.SetDefault(log)
	}
	return err
}
