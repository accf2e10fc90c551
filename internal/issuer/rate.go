package issuer

import (
	"net/http"
	"sync"
	"time"
)

// rate bounds how often one client asks within a minute, wherever from.
type rate struct {
	most  int // 0: no bound
	mu    sync.Mutex
	since time.Time
	count int
}

func (l *rate) may(now time.Time) bool {
	if l.most == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= time.Minute {
		l.since, l.count = now, 0
	}
	l.count++
	return l.count <= l.most
}

// tooMany refuses who asks too often (RFC 6585 section 4, in the words of RFC 8628 section 3.5).
func tooMany(text string) *refusal {
	return &refusal{status: http.StatusTooManyRequests, code: slowDown, text: text}
}
