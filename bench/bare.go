package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// bareRole is the peer of the gateway: the standard library's reverse proxy with a transport that keeps its
// connections, and nothing else. It decides nothing and records nothing.
type bareRole struct {
	servers
	transports []*http.Transport
}

func (b *bareRole) methods() map[string]method {
	return map[string]method{"proxy": takes(b.proxy)}
}

type proxyOrder struct {
	To             string // address
	User, Password string // of the upstream; empty: none
}

func (b *bareRole) proxy(_ context.Context, o proxyOrder) (string, error) {
	to := &url.URL{Scheme: "http", Host: o.To}
	t := &http.Transport{
		DialContext: (&net.Dialer{}).DialContext, DisableCompression: true,
		MaxIdleConns: 1024, MaxIdleConnsPerHost: 256, IdleConnTimeout: 90 * time.Second,
		WriteBufferSize: 32 << 10, ReadBufferSize: 32 << 10,
	}
	b.transports = append(b.transports, t)
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			if o.User != "" {
				r.Out.SetBasicAuth(o.User, o.Password)
			}
		},
		Transport: t, BufferPool: &buffers{}, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	return b.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/1.1 can
		}
		forward.ServeHTTP(w, r)
	}))
}

func (b *bareRole) close() {
	b.servers.close()
	for _, t := range b.transports {
		t.CloseIdleConnections()
	}
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if buf, ok := b.pool.Get().(*[]byte); ok {
		return *buf
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(buf []byte) { b.pool.Put(&buf) }
