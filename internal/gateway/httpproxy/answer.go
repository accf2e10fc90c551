package httpproxy

import (
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyardhq/lanyard/internal/gateway"
)

// answer prepares the app's answer for the way back.
func (x *exchange) answer(resp *http.Response) error {
	for name := range resp.Header {
		if private(name) {
			delete(resp.Header, name)
		}
	}
	if to := resp.Header.Get("Location"); to != "" {
		resp.Header.Set("Location", x.location(to))
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		if both, ok := resp.Body.(io.ReadWriteCloser); ok {
			resp.Body = countedBoth{both, x.lease.Count}
		}
		return nil
	}
	counted := countedBody{resp.Body, x.lease.Count}
	if kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";"); strings.EqualFold(strings.TrimSpace(kind), "text/event-stream") {
		resp.Body = &events{from: counted, reason: x.lease.Reason}
		return nil
	}
	resp.Body = counted
	return nil
}

// private reports whether an answer's header is dropped: what sets something for the whole host, which is that of
// Lanyard's own pages, and what Lanyard itself sets.
func private(name string) bool {
	switch name {
	case "Set-Cookie", "Clear-Site-Data", "Strict-Transport-Security", "Public-Key-Pins", "Alt-Svc", "Service-Worker-Allowed",
		"Nel", "Report-To", "Reporting-Endpoints", "Content-Security-Policy", "X-Content-Type-Options", "Origin-Agent-Cluster":
		return true
	}
	return strings.HasPrefix(name, "Access-Control-")
}

// location keeps a redirect to the app itself behind the gateway.
func (x *exchange) location(to string) string {
	u, err := url.Parse(to)
	if err != nil {
		return to
	}
	if u.Host != "" && (u.Host != x.app.URL.Host || (u.Scheme != "" && u.Scheme != x.app.URL.Scheme)) {
		return to
	}
	if u.Host == "" && !strings.HasPrefix(u.Path, "/") {
		return to // relative to the request's own path, which has the same end
	}
	base := strings.TrimSuffix(x.app.URL.EscapedPath(), "/")
	rest, ok := strings.CutPrefix(u.EscapedPath(), base)
	if !ok || (rest != "" && rest[0] != '/') {
		return to
	}
	here := gateway.AppPrefix + x.app.Name + rest
	if rest == "" {
		here += "/"
	}
	if u.RawQuery != "" {
		here += "?" + u.RawQuery
	}
	if u.Fragment != "" {
		here += "#" + u.EscapedFragment()
	}
	return here
}

type countedBody struct {
	io.ReadCloser
	count func(int64)
}

func (c countedBody) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.count(int64(n))
	return n, err
}

// countedBoth counts what an upgraded connection carries, in both directions.
type countedBoth struct {
	io.ReadWriteCloser
	count func(int64)
}

func (c countedBoth) Read(p []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(p)
	c.count(int64(n))
	return n, err
}

func (c countedBoth) Write(p []byte) (int, error) {
	n, err := c.ReadWriteCloser.Write(p)
	c.count(int64(n))
	return n, err
}
