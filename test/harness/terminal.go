package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/browser"
)

// Terminal is a connection to a workspace's terminal, as its page makes one.
type Terminal struct {
	conn   *websocket.Conn
	cancel context.CancelFunc
	out    Buffer
	ended  chan struct{}
	err    error     // valid once ended is closed
	at     time.Time // of the end
}

// Terminal opens a workspace's terminal: first the page, which hands the person's session over to the terminal's
// site, then the WebSocket.
func (w *World) Terminal(who string, ws api.Workspace) *Terminal {
	w.T.Helper()
	t, err := w.TryTerminal(who, ws.Terminal)
	if err != nil {
		w.T.Fatalf("%s opens the terminal of %s: %v", who, ws.ID, err)
	}
	return t
}

// TryTerminal is Terminal, at an address, for what may be refused.
func (w *World) TryTerminal(who, address string) (*Terminal, error) {
	return TerminalOf(w.T, w.As(who).Browser, address)
}

// TerminalOf opens the terminal at an address in a browser.
func TerminalOf(t testing.TB, b *browser.Browser, address string) (*Terminal, error) {
	t.Helper()
	within, cancel := context.WithTimeout(context.Background(), Wait)
	defer cancel()
	page, err := b.Visit(within, address)
	if err != nil {
		return nil, err
	}
	page.Body.Close()
	if page.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the terminal's page answered %s", page.Status)
	}
	conn, resp, err := b.WebSocket(within, SocketOf(address))
	if err != nil {
		if resp != nil {
			err = fmt.Errorf("the terminal's WebSocket answered %s", resp.Status)
		}
		return nil, err
	}
	conn.SetReadLimit(2 << 20)
	ctx, end := context.WithCancel(context.Background())
	terminal := &Terminal{conn: conn, cancel: end, ended: make(chan struct{})}
	go terminal.read(ctx)
	t.Cleanup(terminal.Close)
	return terminal, nil
}

// SocketOf is the address of a terminal's WebSocket, from that of its page.
func SocketOf(page string) string {
	return "ws" + strings.TrimPrefix(strings.TrimSuffix(page, "/"), "http") + "/_lanyard/terminal?cols=160&rows=40"
}

func (t *Terminal) read(ctx context.Context) {
	defer close(t.ended)
	for {
		kind, frame, err := t.conn.Read(ctx)
		if err != nil {
			t.at, t.err = time.Now(), err
			return
		}
		if kind == websocket.MessageBinary {
			_, _ = t.out.Write(frame) // never fails
		}
	}
}

// Type sends keys.
func (t *Terminal) Type(keys string) error {
	ctx, cancel := context.WithTimeout(context.Background(), Wait)
	defer cancel()
	return t.conn.Write(ctx, websocket.MessageBinary, []byte(keys))
}

// Output is all that the terminal showed.
func (t *Terminal) Output() string { return t.out.String() }

// Ended is closed when the connection is over.
func (t *Terminal) Ended() <-chan struct{} { return t.ended }

// End is the close frame of the other side and when it came. It is for after Ended.
func (t *Terminal) End() (code websocket.StatusCode, reason string, at time.Time) {
	var closed websocket.CloseError
	if errors.As(t.err, &closed) {
		return closed.Code, closed.Reason, t.at
	}
	return -1, t.err.Error(), t.at
}

// Close leaves the terminal.
func (t *Terminal) Close() {
	_ = t.conn.CloseNow() // whatever its state
	t.cancel()
	<-t.ended
}
