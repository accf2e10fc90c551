package tour

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// terminal is a connection to a workspace's terminal, and all that came over it.
type terminal struct {
	conn   *websocket.Conn
	cancel context.CancelFunc

	mu     sync.Mutex
	output strings.Builder
	grown  chan struct{} // closed and replaced when something came, closed for good at the end
	at     time.Time     // when the last bytes came
	err    error         // why it ended
	ended  time.Time
}

func newTerminal(conn *websocket.Conn) *terminal {
	conn.SetReadLimit(2 << 20)
	ctx, cancel := context.WithCancel(context.Background()) // ends with close
	t := &terminal{conn: conn, cancel: cancel, grown: make(chan struct{})}
	go t.read(ctx)
	return t
}

func (t *terminal) read(ctx context.Context) {
	for {
		kind, frame, err := t.conn.Read(ctx)
		now := time.Now()
		t.mu.Lock()
		close(t.grown)
		if err != nil {
			t.err, t.ended = err, now
			t.mu.Unlock()
			return
		}
		t.grown = make(chan struct{})
		if kind == websocket.MessageBinary {
			t.output.Write(frame)
			t.at = now
		}
		t.mu.Unlock()
	}
}

func (t *terminal) close() {
	_ = t.conn.CloseNow() // whatever its state
	t.cancel()
}

// wait waits until the output is as wanted, and says when that came.
func (t *terminal) wait(ctx context.Context, wanted func(string) bool) (string, time.Time, error) {
	for {
		t.mu.Lock()
		text, at, err, grown := t.output.String(), t.at, t.err, t.grown
		t.mu.Unlock()
		if wanted(text) {
			return text, at, nil
		}
		if err != nil {
			return text, at, fmt.Errorf("the terminal ended: %w", err)
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return text, at, fmt.Errorf("wait for the terminal: %w", context.Cause(ctx))
		}
	}
}

// prompt waits for the shell's prompt, and says when it came. Then it makes the shell quiet, so that only what
// commands write is read.
func (t *terminal) prompt(ctx context.Context) (time.Time, error) {
	_, at, err := t.wait(ctx, func(text string) bool { return strings.HasSuffix(strings.TrimRight(screen(text), " "), "$") })
	if err != nil {
		return at, err
	}
	_, _, err = t.run(ctx, "stty -echo; PS1= PS2=; bind 'set enable-bracketed-paste off'; export PAGER=cat GIT_PAGER=cat")
	return at, err
}

// run runs a command in the shell and returns what it wrote and its status.
func (t *terminal) run(ctx context.Context, command string) (string, int, error) {
	// Marks stand around the output. The shell puts them together, so that neither the echo of these lines nor the
	// scrollback, which comes again on every connection, can be taken for them.
	id := rand.Text()[:8]
	lines := fmt.Sprintf("printf '@%%s-%[1]s@' begin\n%[2]s\nprintf '\\n@%%s-%[1]s-%%d@' end $?\n", id, command)
	if err := t.conn.Write(ctx, websocket.MessageBinary, []byte(lines)); err != nil {
		return "", 0, fmt.Errorf("type into the terminal: %w", err)
	}
	marked := regexp.MustCompile(`(?s)@begin-` + id + `@(.*)@end-` + id + `-(\d+)@`)
	text, _, err := t.wait(ctx, marked.MatchString)
	if err != nil {
		return "", 0, err
	}
	found := marked.FindStringSubmatch(text)
	status, err := strconv.Atoi(found[2])
	return strings.TrimSpace(screen(found[1])), status, err
}

// cut waits until the connection has been closed from the other side. It returns what was said in the terminal last,
// when that came, and how the connection was closed.
func (t *terminal) cut(ctx context.Context) (said string, at time.Time, closed websocket.CloseError, err error) {
	for {
		t.mu.Lock()
		text, last, gone, ended, grown := t.output.String(), t.at, t.err, t.ended, t.grown
		t.mu.Unlock()
		if gone != nil {
			said = grep(text[max(0, len(text)-2000):], "Lanyard closed this terminal")
			if said == "" {
				last = ended
			}
			errors.As(gone, &closed)
			return said, last, closed, nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return "", time.Time{}, closed, fmt.Errorf("the terminal is still open: %w", context.Cause(ctx))
		}
	}
}
