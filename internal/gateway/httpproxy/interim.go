package httpproxy

import (
	"errors"
	"net/http"
	"net/textproto"
	"sync"
)

// maxInterim is how many interim answers (1xx) an app may give before its answer.
const maxInterim = 8

var errInterim = errors.New("the app gave one interim answer after another")

// interim counts them. They come on another goroutine than the handler's.
type interim struct {
	mu    sync.Mutex
	count int
	over  bool // the answer itself has come, or nobody waits for it any more
}

// stop ends them.
func (i *interim) stop() {
	i.mu.Lock()
	i.over = true
	i.mu.Unlock()
}

// early passes an app's early hints (RFC 8297) on, with their links and nothing else of what the app said with them;
// other interim answers mean nothing beyond the connection that they came on.
func (x *exchange) early(code int, said textproto.MIMEHeader) error {
	x.interim.mu.Lock()
	defer x.interim.mu.Unlock()
	if x.interim.over {
		return nil
	}
	if x.interim.count++; x.interim.count > maxInterim {
		return errInterim
	}
	x.watch.moved()
	links := said["Link"]
	if code != http.StatusEarlyHints || len(links) == 0 {
		return nil
	}
	h := x.w.Header()
	h["Link"] = links
	x.w.WriteHeader(code)
	delete(h, "Link")
	return nil
}
