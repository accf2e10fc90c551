package tunnel

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
)

func benchServer() http.Handler {
	small, block := make([]byte, 1024), make([]byte, 64<<10)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			for range 64 << 20 / len(block) {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
			return
		}
		_, _ = w.Write(small)
	})
}

// Through the tunnel, and beside it the same over a Unix socket without one.
func BenchmarkRoundTrip(b *testing.B) {
	dir, err := os.MkdirTemp("", "tun")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	hub := NewHub(HubConfig{Dir: dir, Handler: benchServer(), Log: slog.New(slog.DiscardHandler)})
	folder, err := hub.Listen(b.Context(), identity.NewWorkspaceID(), os.Getuid())
	if err != nil {
		b.Fatal(err)
	}
	conn, err := Dial(b.Context(), Peer{Socket: filepath.Join(folder, SocketName)})
	if err != nil {
		b.Fatal(err)
	}
	bare := filepath.Join(dir, "bare")
	l, err := net.Listen("unix", bare)
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: benchServer()}
	go func() { _ = server.Serve(l) }()
	defer func() {
		conn.Close()
		_ = hub.Shutdown(b.Context())
		server.Close()
	}()
	direct := newTransport(func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", bare)
	})
	for name, rt := range map[string]http.RoundTripper{"tunnel": conn.Transport(), "bare": direct} {
		for path, size := range map[string]int64{"/small": 1024, "/large": 64 << 20} {
			b.Run(name+path, func(b *testing.B) {
				b.SetBytes(size)
				b.RunParallel(func(pb *testing.PB) {
					buf := make([]byte, 64<<10)
					for pb.Next() {
						req, _ := http.NewRequestWithContext(b.Context(), "GET", "http://s"+path, nil)
						resp, err := rt.RoundTrip(req)
						if err != nil {
							b.Error(err)
							return
						}
						_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{resp.Body}, buf)
						resp.Body.Close()
					}
				})
			})
		}
	}
	direct.CloseIdleConnections()
}
