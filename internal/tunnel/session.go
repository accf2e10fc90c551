package tunnel

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/yamux"
)

// yamuxConfig are the settings of both ends. The window is what one stream may have under way: with 256 KiB (the
// default) a clone spends its time waiting for window updates, with more than 1 MiB it only takes memory.
func yamuxConfig(log *slog.Logger) *yamux.Config {
	return &yamux.Config{
		AcceptBacklog:          1024,
		EnableKeepAlive:        true,
		KeepAliveInterval:      15 * time.Second,
		ConnectionWriteTimeout: 30 * time.Second,
		MaxStreamWindowSize:    1 << 20,
		StreamOpenTimeout:      30 * time.Second,
		StreamCloseTimeout:     30 * time.Second,
		Logger:                 yamuxLog{log},
	}
}

// yamuxLog passes what yamux has to say to the log, at the level of detail: most of it is that a peer is gone.
type yamuxLog struct{ log *slog.Logger }

func (l yamuxLog) Print(v ...any)   { l.log.Debug("tunnel", "yamux", v) }
func (l yamuxLog) Println(v ...any) { l.log.Debug("tunnel", "yamux", v) }
func (l yamuxLog) Printf(format string, v ...any) {
	l.log.Debug("tunnel: "+strings.TrimSpace(format), "yamux", v)
}

// buffered reads ahead, so that a frame's header and body take one system call.
type buffered struct {
	net.Conn
	reader *bufio.Reader
}

func newBuffered(c net.Conn) *buffered { return &buffered{c, bufio.NewReaderSize(c, 32<<10)} }

func (b *buffered) Read(p []byte) (int, error) { return b.reader.Read(p) }

// newTransport returns the HTTP client's side over streams that dial opens. Streams are cheap, so many idle ones
// are kept: the default of two per host would open a stream per request under load.
func newTransport(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		DialContext:           dial,
		MaxIdleConns:          1024,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: 30 * time.Second,
		DisableCompression:    true, // bytes pass as they are
		WriteBufferSize:       32 << 10,
		ReadBufferSize:        32 << 10,
	}
}

// newServer returns the HTTP server's side for streams that the other end opens.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       5 * time.Minute, // longer than the client's, so that the client closes first
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
