package httpproxy

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
)

// pool is what the bare proxy copies with.
type pool struct{ buffers buffers }

func (p *pool) Get() []byte  { return p.buffers.get()[:] }
func (p *pool) Put(b []byte) { p.buffers.put((*[bufferSize]byte)(b)) }

// BenchmarkRequest compares a request through the gateway, with and without an assertion, with one through a bare
// reverse proxy with the same transport settings. Client and app are in the same process, so the difference of two
// figures says more than a figure.
func BenchmarkRequest(b *testing.B) {
	answer := strings.Repeat("x", 1024)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) }))
	defer app.Close()
	s := newScene(b)
	up := upstream.New(upstream.Config{Log: s.Log, Names: map[string]upstream.Address{
		"gone.example.test": upstream.Address(app.Listener.Addr().String()), "echo.example.test": upstream.Address(app.Listener.Addr().String()),
	}})
	defer up.Close()
	s.proxy.c.Upstream = up
	gate := s.serve(b, gatewaytest.Ada)
	target, _ := url.Parse(app.URL)
	bare := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:    func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:  &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true, DialContext: (&net.Dialer{}).DialContext},
		BufferPool: &pool{},
	})
	defer bare.Close()
	for _, c := range []struct{ name, url string }{
		{"direct", app.URL + "/x"}, {"bare", bare.URL + "/x"}, {"gateway", gate.URL + "/r/gone/x"}, {"gateway with assertion", gate.URL + "/r/echo/x"},
	} {
		b.Run(c.name, func(b *testing.B) {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			defer client.CloseIdleConnections()
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					resp, err := client.Get(c.url)
					if err != nil {
						b.Error(err)
						return
					}
					if n, _ := io.Copy(io.Discard, resp.Body); n != 1024 {
						b.Errorf("%s, %d bytes", resp.Status, n)
					}
					resp.Body.Close()
				}
			})
		})
	}
}
