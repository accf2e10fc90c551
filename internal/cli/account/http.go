package account

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"time"
)

// HTTP is a client for servers anywhere. Names below localhost are this machine's (RFC 6761 section 6.3), which not every
// resolver knows. Redirects are not followed: tokens go where they were sent to.
func HTTP() *http.Client {
	dialer := &net.Dialer{Timeout: 20 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
			MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: 20 * time.Second,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
					address = net.JoinHostPort("127.0.0.1", port)
				}
				return dialer.DialContext(ctx, network, address)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// withoutHTTP2 is a transport as another one, that speaks HTTP/1.1 alone.
func withoutHTTP2(t *http.Transport) *http.Transport {
	one := t.Clone()
	one.ForceAttemptHTTP2 = false
	one.TLSNextProto = nil
	one.Protocols = new(http.Protocols)
	one.Protocols.SetHTTP1(true)
	if one.TLSClientConfig != nil {
		one.TLSClientConfig.NextProtos = []string{"http/1.1"} // h2 is there once the other one was used
	}
	return one
}
