package agent

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"
)

// newForward returns what passes requests of the workspace's processes to the server, unchanged. Which requests may be
// passed on is for its callers to say. refused sees each answer, to note those that are refusals.
func newForward(upstream http.RoundTripper, refused *refusals, log *slog.Logger) http.Handler {
	buffers := &bufferPool{sync.Pool{New: func() any { return new([proxyBuffer]byte) }}}
	forward := &httputil.ReverseProxy{
		Rewrite:       rewrite,
		Transport:     upstream,
		FlushInterval: -1,
		BufferPool:    buffers,
		ModifyResponse: func(answer *http.Response) error {
			refused.ofAnswer(answer)
			return nil
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() != nil {
				panic(http.ErrAbortHandler) // nobody is left to tell
			}
			if errors.Is(err, errNoServer) {
				refuse(w, http.StatusServiceUnavailable, "Lanyard's server is not reachable from this workspace now. The workspace goes on; try again in a moment.")
				return
			}
			log.Info("request failed", "err", err)
			refuse(w, http.StatusBadGateway, "The connection to Lanyard's server broke before it answered. Try again in a moment.")
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			refuse(w, http.StatusInternalServerError, "This connection cannot carry both directions at once.")
			return
		}
		out := *r
		out.Body = unclosed{r.Body} // drain reads what is left of it
		forward.ServeHTTP(w, &out)
		drain(w, r)
	})
}

// rewrite sends the request on with path and query as they were received: the server judges the bytes that the client
// sent. Opaque is what makes net/http send a path without writing it anew.
func rewrite(p *httputil.ProxyRequest) {
	path, _, _ := strings.Cut(p.In.RequestURI, "?")
	u := p.Out.URL
	u.Scheme, u.Host, u.Opaque = "http", "lanyard", path
	u.RawQuery, u.ForceQuery = p.In.URL.RawQuery, p.In.URL.ForceQuery
	p.Out.Trailer = p.In.Trailer // filled while the body is read
	for name := range p.Out.Header {
		folded := strings.ReplaceAll(strings.ToLower(name), "_", "-")
		if strings.HasPrefix(folded, "x-forwarded-") || folded == "x-real-ip" || folded == "forwarded" {
			delete(p.Out.Header, name)
		}
	}
}

// drainTime bounds drain.
const drainTime = 30 * time.Second

// drain reads the rest of a request whose answer is complete, and drops it. A client that is still sending, as git
// does with a push that was refused in the middle, reads the answer when it has sent all; closing the connection under
// it would take the answer away.
func drain(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 || r.ProtoMajor > 1 { // with HTTP/2 the answer ends with the handler, and takes nothing along
		return
	}
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(drainTime)); err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, r.Body) // a client that is gone has ended it
}

// unclosed is a body that only the server closes.
type unclosed struct{ io.Reader }

func (unclosed) Close() error { return nil }

const proxyBuffer = 32 << 10

type bufferPool struct{ pool sync.Pool }

func (b *bufferPool) Get() []byte  { return b.pool.Get().(*[proxyBuffer]byte)[:] }
func (b *bufferPool) Put(p []byte) { b.pool.Put((*[proxyBuffer]byte)(p)) }
