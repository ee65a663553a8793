package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// certificateCheckInterval is how often the certificate's files are looked at. ACME clients renew weeks ahead.
const certificateCheckInterval = 10 * time.Second

// certificate is the main listener's, read again when its files change or when asked to.
type certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
	loadedModTimes    [2]time.Time // modification times of what was last read, good or not
}

func newCertificate(cert, key string) (*certificate, error) {
	c := &certificate{certFile: cert, keyFile: key}
	return c, c.load()
}

// load replaces the certificate; one that cannot be read leaves the one before in use.
func (c *certificate) load() error {
	c.loadedModTimes = c.modTimes()
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.current.Store(&pair)
	return nil
}

func (c *certificate) modTimes() (times [2]time.Time) {
	for i, file := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(file); err == nil {
			times[i] = info.ModTime()
		}
	}
	return times
}

// watch keeps the certificate fresh until ctx ends.
func (c *certificate) watch(ctx context.Context, reload <-chan os.Signal, log *slog.Logger) {
	tick := time.NewTicker(certificateCheckInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-reload:
		case <-tick.C:
			if c.modTimes() == c.loadedModTimes {
				continue
			}
		}
		if err := c.load(); err != nil {
			log.ErrorContext(ctx, "certificate not read; the one before stays in use", "err", err)
			continue
		}
		log.InfoContext(ctx, "certificate read", "not_after", c.current.Load().Leaf.NotAfter)
	}
}

// tlsConfig is how the listener speaks TLS.
func (c *certificate) tlsConfig() *tls.Config {
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
