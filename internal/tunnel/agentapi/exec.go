package agentapi

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Streams are a command's input and output. Nil Stdin is no input; nil writers discard.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Resize         <-chan Size // of the terminal, for a command with one; may be nil
}

// Exec runs a command and returns its exit status. When ctx ends or the connection breaks, the command's process
// group gets SIGHUP, then SIGKILL. A command that could not begin is a problem.Invalid. A read from Stdin that is
// under way when the command ends is not waited for.
func (c Client) Exec(ctx context.Context, req ExecRequest, s Streams) (int, error) {
	req.Stdin = s.Stdin != nil
	first, err := json.Marshal(req)
	if err != nil {
		return 0, fmt.Errorf("exec: %w", err)
	}
	conn, err := c.dial(ctx, base+"/v1/exec")
	if err != nil {
		return 0, err
	}
	return stream(ctx, conn, first, s, nil, execExit)
}

func execExit(frame []byte) (int, error) {
	var e ExecExit
	if err := json.Unmarshal(frame, &e); err != nil {
		return 0, fmt.Errorf("exec: %w", err)
	}
	if e.Error != "" {
		return 0, problem.New(problem.Invalid, "%s", e.Error)
	}
	return e.Code, nil
}

// stream sends the first frame and carries a command's input and output until its exit frame, which exit reads. text, which
// may be nil, is told the frames of text that come.
func stream(ctx context.Context, conn *websocket.Conn, first []byte, s Streams, text func([]byte), exit func([]byte) (int, error)) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer conn.CloseNow()
	if err := conn.Write(ctx, websocket.MessageText, first); err != nil {
		return 0, fmt.Errorf("exec: %w", err)
	}
	window := newWindow(StdinWindow)
	defer window.close()
	if s.Stdin != nil {
		go sendStdin(ctx, conn, s.Stdin, window)
	}
	if s.Resize != nil {
		go sendSizes(ctx, conn, s.Resize)
	}
	for {
		kind, frame, err := conn.Read(ctx)
		if err != nil {
			return 0, problem.Wrap(err, problem.Unavailable, "The connection to the workspace ended before the command did.")
		}
		if kind == websocket.MessageText && text != nil {
			text(frame)
			continue
		}
		if len(frame) == 0 {
			continue
		}
		rest := frame[1:]
		switch frame[0] {
		case Stdout:
			err = write(s.Stdout, rest)
		case Stderr:
			err = write(s.Stderr, rest)
		case Consumed:
			if len(rest) == 4 {
				window.give(int(binary.BigEndian.Uint32(rest)))
			}
		case Exit:
			_ = conn.Close(websocket.StatusNormalClosure, "") // all has been said
			return exit(rest)
		}
		if err != nil {
			return 0, fmt.Errorf("exec: output: %w", err)
		}
	}
}

func write(w io.Writer, p []byte) error {
	if w == nil {
		return nil
	}
	_, err := w.Write(p)
	return err
}

// sendStdin ends with the input, or when a write fails because the command is over, which the reader sees.
func sendStdin(ctx context.Context, conn *websocket.Conn, in io.Reader, w *window) {
	frame := make([]byte, 1+32<<10)
	frame[0] = Stdin
	for {
		n, err := in.Read(frame[1:])
		if n > 0 {
			if !w.take(n) || conn.Write(ctx, websocket.MessageBinary, frame[:1+n]) != nil {
				return
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				_ = conn.Write(ctx, websocket.MessageBinary, frame[:1])
				return
			}
			_ = conn.Close(websocket.StatusInternalError, "input failed") // the command must not take a part for the whole
			return
		}
	}
}

func sendSizes(ctx context.Context, conn *websocket.Conn, sizes <-chan Size) {
	for {
		select {
		case <-ctx.Done():
			return
		case s, ok := <-sizes:
			if !ok {
				return
			}
			text, _ := json.Marshal(Control{Resize: &s}) // two numbers
			if conn.Write(ctx, websocket.MessageText, text) != nil {
				return
			}
		}
	}
}

// window counts the bytes that may still be sent.
type window struct {
	mu     sync.Mutex
	cond   *sync.Cond
	left   int
	closed bool
}

func newWindow(n int) *window {
	w := &window{left: n}
	w.cond = sync.NewCond(&w.mu)
	return w
}

// take waits for n bytes of room; false when the window was closed.
func (w *window) take(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.left < n && !w.closed {
		w.cond.Wait()
	}
	w.left -= n
	return !w.closed
}

func (w *window) give(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left += n
	w.cond.Broadcast()
}

func (w *window) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.cond.Broadcast()
}
