// Package tlscert holds the certificates that the server shows when it speaks TLS itself: those of files, which are read
// again when they change, and those that it obtains from an ACME authority (RFC 8555) and renews. A handshake waits for
// neither a file nor the authority.
package tlscert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/lanyardhq/lanyard/internal/token"
)

// Config is what a Set is made of. At least one certificate comes of it.
type Config struct {
	Files  []Files // the first one that fits is shown
	ACME   *ACME   // nil: no authority is asked
	Rows   Rows    // with ACME only, as the sealer
	Sealer *token.Sealer
	Log    *slog.Logger
}

// Set chooses a certificate for each handshake. Its methods may be called concurrently.
type Set struct {
	files []*pair
	acme  *authority // nil: none
	log   *slog.Logger
	said  map[string]time.Time // when it was last said that the certificate of a place ends soon; Run's own
}

// New reads the files. One that cannot be read, or whose key is another one's, is an error.
func New(c Config) (*Set, error) {
	s := &Set{log: c.Log, said: map[string]time.Time{}}
	for _, f := range c.Files {
		p := &pair{Files: f}
		if _, err := p.look(); err != nil {
			return nil, err
		}
		s.files = append(s.files, p)
	}
	if c.ACME != nil {
		s.acme = newAuthority(*c.ACME, rowCache{rows: c.Rows, sealer: c.Sealer, directory: c.ACME.Directory}, c.Log)
	}
	return s, nil
}

// every is how often files are looked at, and the authority's certificates taken over.
const every = 10 * time.Second

// Run follows the files and keeps the authority's certificates until ctx ends.
func (s *Set) Run(ctx context.Context) {
	if s.acme != nil {
		defer s.acme.stop()
		go s.acme.keep() // not waited for: what it asks may take minutes, and fails once it was stopped
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		s.warn(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, p := range s.files {
				p.follow(s.log)
			}
		}
	}
}

// TLS offers HTTP/2 and HTTP/1.1, and answers the authority's challenges (RFC 8737).
func (s *Set) TLS() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: s.choose}
	if s.acme != nil {
		c.NextProtos = append(c.NextProtos, acme.ALPNProto)
	}
	return c
}

// choose prefers what the authority gave for exactly this name, then the first file whose certificate fits name and
// client. A name that none fits, and a client that sends none, gets the first certificate.
func (s *Set) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if s.acme != nil {
		if challenge(hello) {
			return s.acme.manager.GetCertificate(hello)
		}
		if c := s.acme.certificate(hello.ServerName); c != nil {
			return c, nil
		}
	}
	now := time.Now()
	var fits *tls.Certificate // an expired one, when there is no other: the client then says what is wrong
	for _, p := range s.files {
		c := p.current.Load()
		if hello.SupportsCertificate(c) != nil {
			continue
		}
		if now.Before(c.Leaf.NotAfter) {
			return c, nil
		}
		if fits == nil {
			fits = c
		}
	}
	switch {
	case fits != nil:
		return fits, nil
	case len(s.files) > 0:
		return s.files[0].current.Load(), nil
	}
	if c := s.acme.certificate(s.acme.hosts[0].name); c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("there is no certificate for %q yet", hello.ServerName)
}

// Held is a certificate that is shown now.
type Held struct {
	From  string // its file, or the authority
	Names []string
	Since time.Time
	Until time.Time
}

// Held lists the certificates that are shown now.
func (s *Set) Held() (list []Held) {
	for _, p := range s.files {
		list = append(list, held(p.Cert, p.current.Load().Leaf))
	}
	if s.acme != nil {
		for _, h := range s.acme.hosts {
			if c := h.current.Load(); c != nil {
				list = append(list, held(s.acme.directory, c.Leaf))
			}
		}
	}
	return list
}

func held(from string, leaf *x509.Certificate) Held {
	names := leaf.DNSNames
	if len(names) == 0 {
		names = []string{leaf.Subject.CommonName}
	}
	return Held{From: from, Names: names, Since: leaf.NotBefore, Until: leaf.NotAfter}
}

// EndsSoon reports whether a certificate should have been renewed by now: less than a quarter of its life is left, or
// less than 14 days of a longer one's.
func (h Held) EndsSoon(now time.Time) bool {
	return h.Until.Sub(now) < min(h.Until.Sub(h.Since)/4, 14*24*time.Hour)
}

// warn says once a day which certificates end soon.
func (s *Set) warn(now time.Time) {
	for _, h := range s.Held() {
		key := fmt.Sprint(h.From, h.Names, h.Until)
		if !h.EndsSoon(now) || now.Sub(s.said[key]) < 24*time.Hour {
			continue
		}
		s.said[key] = now
		s.log.Warn("a certificate ends soon and was not renewed", "names", h.Names, "from", h.From, "until", h.Until)
	}
}
