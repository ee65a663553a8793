package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/provider/web"
)

// newLogger writes the log to w: JSON for programs, text where a person reads along.
func newLogger(w io.Writer, cfg config.Log) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		return nil, fmt.Errorf("read log.level: %w", err)
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewJSONHandler(w, options)
	if cfg.Format == "text" || cfg.Format == "auto" && isTerminal(w) {
		handler = slog.NewTextHandler(w, options)
	}
	return slog.New(web.LogHandler{Handler: handler}), nil
}

// setDefaultLogger is for zitadel/oidc, which knows no other. At info it lists the few routes that it mounts, as if there were no more.
func setDefaultLogger(w io.Writer, cfg config.Log) error {
	if cfg.Level == "info" {
		cfg.Level = "warn"
	}
	log, err := newLogger(w, cfg)
	if err == nil {
		slog.SetDefault(log)
	}
	return err
}
