package egress

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/project"
)

// client is the workspace's side, with what was read of it already.
type client struct {
	net.Conn
	from *bufio.Reader
}

func (c *client) Read(p []byte) (int, error) { return c.from.Read(p) }

// speech is what a connection carries, by its first bytes.
type speech int

const (
	other speech = iota
	inTLS
	inHTTP
)

// recordHandshake begins a TLS connection (RFC 8446 section 5.1).
const recordHandshake = 0x16

// methods begin requests of HTTP/1.1, and PRI those of HTTP/2.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PROPFIND", "REPORT", "PRI"}

// speech waits for as many bytes as it takes to tell. HTTP is also a line of any other method that names its version, and
// what servers skip before a request (RFC 9112 sections 2.2 and 3) is skipped here, and taken away where it is HTTP.
func (c *client) speech() (speech, error) {
	start, word := 0, true // where the first line begins; whether its first word goes on
	http := func() (speech, error) {
		_, err := c.from.Discard(start)
		return inHTTP, err
	}
	for n := 1; ; n++ {
		b, err := c.from.Peek(n)
		if errors.Is(err, bufio.ErrBufferFull) {
			if word && start == 0 {
				return other, nil
			}
			return http()
		}
		if err != nil {
			return other, err
		}
		line, last := b[start:], b[n-1]
		switch {
		case n == 1 && last == recordHandshake:
			return inTLS, nil
		case len(line) == 1 && (space(last) || last == '\n'):
			start = n
		case word && token(last):
		case word && space(last):
			if slices.Contains(methods, string(line[:len(line)-1])) {
				return http()
			}
			word = false
		case word, last == '\n', last == 0:
			return other, nil
		case last == '/' && len(line) >= 5 && strings.EqualFold(string(line[len(line)-5:]), "HTTP/"):
			return http()
		}
	}
}

// space reports whether servers may take a byte for the end of a word.
func space(c byte) bool { return strings.IndexByte(" \t\v\f\r", c) >= 0 }

// token reports whether a byte may be in a method (RFC 9110 section 5.6.2).
func token(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// greets reads the client's greeting and refuses one that names another host than was asked for. read is what was read.
func (x *exchange) greets(c *client) (read []byte, ok bool) {
	name, read, err := greeting(c)
	switch {
	case err != nil:
		x.refuse("what begins like TLS is none")
		return nil, false
	case !x.named(name):
		if name == "" {
			x.refuse("the TLS greeting names no host (SNI)")
		} else {
			x.refuse(fmt.Sprintf("the TLS greeting names %q (SNI), and the connection was asked for %s", cut(name), x.host))
		}
		unrecognized := []byte{21, 3, 3, 0, 2, 2, 112} // alert: fatal, unrecognized_name (RFC 6066 section 3)
		_, _ = c.Write(unrecognized)                   // at best effort
		return nil, false
	}
	return read, true
}

// named reports whether a greeting's name is the host's. An address has no name to be greeted by (RFC 6066 section 3).
func (x *exchange) named(name string) bool {
	if _, err := netip.ParseAddr(x.host); err == nil {
		return name == ""
	}
	host, ok := project.ParseEgressHost(name)
	return ok && host == x.host
}

// cut shortens a name that a stranger gave.
func cut(name string) string { return name[:min(len(name), 100)] }

// maxGreeting bounds a TLS greeting in bytes: with a post-quantum key and a session ticket it has a few thousand.
const maxGreeting = 64 << 10

var errHeard = errors.New("heard")

// greeting reads a TLS ClientHello as Go's own server does, and returns the name in it and all bytes that were read.
func greeting(from io.Reader) (name string, read []byte, err error) {
	var kept bytes.Buffer
	heard := false
	_ = tls.Server(deaf{Reader: io.TeeReader(io.LimitReader(from, maxGreeting), &kept)}, &tls.Config{
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			name, heard = h.ServerName, true
			return nil, errHeard
		},
	}).Handshake() // fails, at the latest with errHeard
	if !heard {
		return "", nil, errors.New("no TLS greeting")
	}
	return name, kept.Bytes(), nil
}

// deaf is a connection that says nothing.
type deaf struct {
	net.Conn // nil: a server that hears a greeting calls nothing else
	io.Reader
}

func (d deaf) Read(p []byte) (int, error)  { return d.Reader.Read(p) }
func (d deaf) Write(p []byte) (int, error) { return len(p), nil }
func (d deaf) Close() error                { return nil }
