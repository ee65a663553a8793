package server

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/cmd/curfew/terminal"
	"github.com/curfew-id/curfew/provider/web"
)

// NewLogger returns a logger that writes to w: JSON, or text if configured or if w is a terminal.
func NewLogger(w io.Writer, cfg config.Log) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		return nil, fmt.Errorf("read log.level: %w", err)
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewJSONHandler(w, options)
	wantsText := cfg.Format == "text"
	if cfg.Format == "auto" {
		wantsText = terminal.IsTerminal(w)
	}
	if wantsText {
		handler = slog.NewTextHandler(w, options)
	}
	return slog.New(web.LogHandler{Handler: handler}), nil
}

// SetDefaultLogger sets the default logger of slog, which zitadel/oidc uses. It raises the level info to warn. At info
// the library logs the few routes that it mounts, and readers of the log would take them for all routes.
func SetDefaultLogger(w io.Writer, cfg config.Log) error {
	if cfg.Level == "info" {
		cfg.Level = "warn"
	}
	log, err := NewLogger(w, cfg)
	if err != nil {
		return err
	}
	slog.SetDefault(log)
	return nil
}
