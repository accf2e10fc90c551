package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// certificate is a certificate in files that is read again when they change: who renews it need not restart anything.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	current           atomic.Pointer[tls.Certificate]
	seen              [2]time.Time
}

// certificateEvery is how often its files are looked at.
const certificateEvery = 10 * time.Second

func newCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if _, err := c.look(); err != nil {
		return nil, err
	}
	return c, nil
}

// look reads the files if they have changed. What cannot be read leaves the certificate as it is.
func (c *certificate) look() (changed bool, err error) {
	var seen [2]time.Time
	for i, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return false, fmt.Errorf("the certificate: %w", err)
		}
		seen[i] = info.ModTime()
	}
	if seen == c.seen {
		return false, nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return false, fmt.Errorf("the certificate in %s and %s: %w", c.certFile, c.keyFile, err)
	}
	c.seen = seen
	c.current.Store(&pair)
	return true, nil
}

// run follows the files until ctx ends.
func (c *certificate) run(ctx context.Context) {
	tick := time.NewTicker(certificateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			switch changed, err := c.look(); {
			case err != nil:
				c.log.Error("the certificate stays as it was", "error", err)
			case changed:
				c.log.Info("the certificate was read again")
			}
		}
	}
}

// config offers HTTP/2 and HTTP/1.1.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
}
