package tlscert

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// Files are a certificate with its intermediate ones, and its key, in PEM. They may be the same file.
type Files struct{ Cert, Key string }

// Read reads a certificate with its key.
func Read(f Files) (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("the certificate in %s with the key in %s: %w", f.Cert, f.Key, err)
	}
	return &c, nil
}

// pair is a certificate in files that is read again when they change: who renews it need not restart anything.
type pair struct {
	Files
	current atomic.Pointer[tls.Certificate]
	seen    [2]fs.FileInfo // when it was last read
	failed  string         // what was last said
}

// look reads the files if they have changed. What cannot be read leaves the certificate as it is.
func (p *pair) look() (changed bool, err error) {
	var seen [2]fs.FileInfo
	for i, file := range []string{p.Cert, p.Key} {
		if seen[i], err = os.Stat(file); err != nil {
			return false, fmt.Errorf("the certificate: %w", err)
		}
	}
	if same(seen[0], p.seen[0]) && same(seen[1], p.seen[1]) {
		return false, nil
	}
	c, err := Read(p.Files)
	if err != nil {
		return false, err
	}
	p.seen = seen
	p.current.Store(c)
	return true, nil
}

// same reports whether a file is what it was: links to others, files that were moved into its place and those written
// within the clock's tick are seen.
func same(a, b fs.FileInfo) bool {
	return b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// follow looks once, and says what became of it.
func (p *pair) follow(log *slog.Logger) {
	changed, err := p.look()
	switch {
	case err == nil:
		p.failed = ""
	case err.Error() != p.failed: // not every ten seconds
		p.failed = err.Error()
		log.Error("the certificate stays as it was", "error", err)
	}
	if changed {
		leaf := p.current.Load().Leaf
		log.Info("the certificate was read again", "file", p.Cert, "names", leaf.DNSNames, "until", leaf.NotAfter.UTC().Format(time.RFC3339))
	}
}
