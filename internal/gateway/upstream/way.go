package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/internal/project"
)

// The defaults of a connection. Apps may have their own.
const (
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second
	answerTimeout    = time.Minute
	continueTimeout  = 10 * time.Second // an upstream that does not know Expect: 100-continue says nothing to it
)

// maxAnswerHeaders bounds an answer's headers, the interim answers before it included, in bytes.
const maxAnswerHeaders = 256 << 10

// way is how connections are made: upstreams that share one share a pool, in which hosts are apart.
type way struct {
	http1, http2, unencrypted2 bool
	dial, handshake, answer    time.Duration
}

// plain is the way of upstreams that say nothing of theirs: HTTP/1.1, and no bound on the time to an answer, which for
// Git is the time that its server packs.
var plain = way{http1: true, dial: dialTimeout, handshake: handshakeTimeout}

// wayOf makes the way of a connection. A request that wants to upgrade goes by HTTP/1.1.
func wayOf(c *project.Connection, upgrade bool) way {
	if c == nil {
		return plain
	}
	return way{
		http1:        upgrade || c.HTTP2 != project.HTTP2Always,
		http2:        !upgrade && c.HTTP2 != project.HTTP2Never,
		unencrypted2: !upgrade && c.HTTP2 == project.HTTP2Always,
		dial:         cmp.Or(c.Dial, dialTimeout),
		handshake:    cmp.Or(c.Handshake, handshakeTimeout),
		answer:       cmp.Or(c.Answer, answerTimeout),
	}
}

// by is the pool of a way. There are few, and a request reads them without a lock.
func (u *Upstream) by(w way) *http.Transport {
	if pools := u.pools.Load(); pools != nil {
		if t, ok := (*pools)[w]; ok {
			return t
		}
	}
	u.adding.Lock()
	defer u.adding.Unlock()
	next := map[way]*http.Transport{}
	if pools := u.pools.Load(); pools != nil {
		if t, ok := (*pools)[w]; ok {
			return t
		}
		next = maps.Clone(*pools)
	}
	next[w] = u.newTransport(w)
	u.pools.Store(&next)
	return next[w]
}

func (u *Upstream) newTransport(w way) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(w.http1)
	protocols.SetHTTP2(w.http2)
	protocols.SetUnencryptedHTTP2(w.unencrypted2)
	return &http.Transport{
		Proxy: nil, // not the environment's: what is dialled is decided here
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return u.dial(ctx, network, address, w.dial)
		},
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return u.dialTLS(ctx, network, address, w)
		},
		Protocols:          &protocols,
		DisableCompression: true, // bytes pass as they are
		// Many people share an upstream: the default of two idle connections a host would dial for nearly every
		// request under load.
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        90 * time.Second,
		ResponseHeaderTimeout:  w.answer,
		ExpectContinueTimeout:  continueTimeout,
		MaxResponseHeaderBytes: maxAnswerHeaders,
		WriteBufferSize:        32 << 10,
		ReadBufferSize:         32 << 10,
	}
}

// offers are what a handshake offers (ALPN).
func (w way) offers() []string {
	switch {
	case w.http1 && w.http2:
		return []string{"h2", "http/1.1"}
	case w.http2:
		return []string{"h2"}
	default:
		return []string{"http/1.1"}
	}
}

func (u *Upstream) secure(ctx context.Context, conn net.Conn, host string, w way) (net.Conn, error) {
	secured := tls.Client(conn, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, NextProtos: w.offers(), RootCAs: u.roots})
	ctx, cancel := context.WithTimeout(ctx, w.handshake)
	defer cancel()
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}
