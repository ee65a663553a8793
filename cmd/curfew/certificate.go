package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// certificateCheck is how often the certificate's files are looked at. ACME clients renew weeks ahead.
const certificateCheck = 10 * time.Second

// certificate is the main listener's, read again when its files change or when asked to.
type certificate struct {
	cert, key string
	current   atomic.Pointer[tls.Certificate]
	seen      [2]time.Time // modification times of what was last read, good or not
}

func newCertificate(cert, key string) (*certificate, error) {
	c := &certificate{cert: cert, key: key}
	return c, c.read()
}

// read replaces the certificate; one that cannot be read leaves the one before in use.
func (c *certificate) read() error {
	c.seen = c.modified()
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	c.current.Store(&pair)
	return nil
}

func (c *certificate) modified() (times [2]time.Time) {
	for i, file := range []string{c.cert, c.key} {
		if info, err := os.Stat(file); err == nil {
			times[i] = info.ModTime()
		}
	}
	return times
}

// watch keeps the certificate fresh until ctx ends.
func (c *certificate) watch(ctx context.Context, reload <-chan os.Signal, log *slog.Logger) {
	tick := time.NewTicker(certificateCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-reload:
		case <-tick.C:
			if c.modified() == c.seen {
				continue
			}
		}
		if err := c.read(); err != nil {
			log.ErrorContext(ctx, "certificate not read; the one before stays in use", "err", err)
			continue
		}
		log.InfoContext(ctx, "certificate read", "not_after", c.current.Load().Leaf.NotAfter)
	}
}

// config is how the listener speaks TLS.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if pair := c.current.Load(); pair != nil {
				return pair, nil
			}
			return nil, errors.New("no certificate")
		},
	}
}
