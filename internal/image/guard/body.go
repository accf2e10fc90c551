package guard

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// body is an answer's, which ends at its bound, and in time.
type body struct {
	from        io.ReadCloser
	cancel      context.CancelFunc // of its request
	host        string
	left, bound int64 // bytes; left below 0: without a bound
	cut         bool  // at its bound it ends as if there were no more; else with an error
	paced       bool  // the time begins anew with every leastPace bytes
	since       int   // bytes since it began
	within      time.Duration
	timer       *time.Timer
	late        atomic.Bool
}

func (b *body) tooLate() {
	b.late.Store(true)
	b.cancel()
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	switch {
	case b.left == 0 && b.cut:
		return 0, io.EOF
	case b.left >= 0 && int64(len(p)) > b.left+1:
		p = p[:b.left+1] // one more shows that it is too long
	}
	n, err := b.from.Read(p)
	if b.left >= 0 {
		if int64(n) > b.left {
			n = int(b.left)
			b.left = 0
			if b.cut {
				return n, io.EOF
			}
			return n, problem.New(problem.TooLarge, "%s answers with more than the %d bytes that are read.", b.host, b.bound)
		}
		b.left -= int64(n)
	}
	if b.since += n; b.paced && b.since >= leastPace {
		b.since = 0
		b.timer.Reset(b.within)
	}
	if err != nil && err != io.EOF && b.late.Load() {
		err = problem.New(problem.SlowUpstream, "%s sends too slowly: less than %d KiB in %s. Try again later.", b.host, leastPace>>10, b.within)
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.timer.Stop()
	b.cancel()
	return b.from.Close()
}

// Short is what is quoted of an error that may hold what a registry said: one line of it.
func Short(text string) string {
	const most = 300
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text[:min(len(text), 4*most)])
	if len(text) <= most {
		return text
	}
	for text = text[:most]; !utf8.ValidString(text); {
		text = text[:len(text)-1]
	}
	return text + "…"
}
