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

// certificateCheckInterval is the time between two checks whether the certificate's files have changed. It can be long:
// ACME clients renew certificates weeks before they expire.
const certificateCheckInterval = 10 * time.Second

// certificate is the certificate of the main listener. It is loaded again when its files change and on SIGHUP.
type certificate struct {
	certFile       string
	keyFile        string
	current        atomic.Pointer[tls.Certificate]
	loadedModTimes [2]time.Time // modification times of the files at the last load, successful or not
}

func newCertificate(cert, key string) (*certificate, error) {
	c := &certificate{certFile: cert, keyFile: key}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// load loads the certificate. If it cannot be loaded, the previous one stays in use.
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

// watch loads the certificate again when its files change, and for each signal on reload. It returns when ctx is done.
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
			log.ErrorContext(ctx, "certificate not loaded; keeping the previous one", "err", err)
			continue
		}
		log.InfoContext(ctx, "certificate loaded", "not_after", c.current.Load().Leaf.NotAfter)
	}
}

// tlsConfig returns the TLS configuration of the main listener.
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
