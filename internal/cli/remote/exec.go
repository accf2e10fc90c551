package remote

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/coder/websocket"
	"golang.org/x/sync/semaphore"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// maxFrame bounds a frame from the server, in bytes.
const maxFrame = 1<<20 + 1

// Exec runs a command in a workspace and returns its exit status. An error means that there is none: problem.Denied
// when the command was refused, or ended because access did; problem.Invalid when it could not begin. When ctx ends,
// so does the command.
func (r *Remote) Exec(ctx context.Context, workspace string, req agentapi.ExecRequest, s agentapi.Streams) (int, error) {
	req.Stdin = s.Stdin != nil
	first, err := json.Marshal(req)
	if err != nil {
		return 0, fmt.Errorf("exec: %w", err)
	}
	conn, resp, err := r.dial(ctx, "/workspaces/"+url.PathEscape(workspace)+"/exec")
	if err != nil {
		if refused := refusal(resp); refused != nil {
			return 0, refused
		}
		return 0, lost(ctx, err)
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxFrame)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := conn.Write(ctx, websocket.MessageText, first); err != nil {
		return 0, lost(ctx, err)
	}
	run := execution{conn: conn, window: semaphore.NewWeighted(agentapi.StdinWindow), Streams: s}
	if s.Stdin != nil {
		go run.input(ctx)
	}
	if s.Resize != nil {
		go run.sizes(ctx)
	}
	return run.output(ctx)
}

// execution is one command under way; agentapi says what its frames are.
type execution struct {
	conn   *websocket.Conn
	window *semaphore.Weighted // bytes of input that may still be sent
	under  atomic.Int64        // bytes of input that are under way
	agentapi.Streams
}

// output passes on what the command writes until it ends.
func (x *execution) output(ctx context.Context) (int, error) {
	for {
		_, frame, err := x.conn.Read(ctx)
		if err != nil {
			return 0, lost(ctx, fmt.Errorf("the connection ended before the command did: %w", err))
		}
		if len(frame) == 0 {
			continue
		}
		rest := frame[1:]
		switch frame[0] {
		case agentapi.Stdout:
			err = pass(x.Stdout, rest)
		case agentapi.Stderr:
			err = pass(x.Stderr, rest)
		case agentapi.Consumed:
			if len(rest) == 4 {
				x.give(int64(binary.BigEndian.Uint32(rest)))
			}
		case agentapi.Exit:
			return x.ended(rest)
		}
		if err != nil {
			return 0, fmt.Errorf("write the command's output: %w", err)
		}
	}
}

// ended reads the last frame: the exit status, or why there is none.
func (x *execution) ended(frame []byte) (int, error) {
	var last struct {
		agentapi.ExecExit
		Denied bool `json:"denied"` // the gateway's: refused, or access has ended
		Failed bool `json:"failed"` // the gateway's: Lanyard or the tunnel failed
	}
	if err := json.Unmarshal(frame, &last); err != nil {
		return 0, fmt.Errorf("exec: %w", err)
	}
	_ = x.conn.Close(websocket.StatusNormalClosure, "") // all has been said
	switch {
	case last.Denied:
		return 0, problem.New(problem.Denied, "%s", last.Error)
	case last.Failed:
		return 0, problem.New(problem.Unavailable, "%s", last.Error)
	case last.Error != "":
		return 0, problem.New(problem.Invalid, "%s", last.Error)
	}
	return last.Code, nil
}

func pass(w io.Writer, p []byte) error {
	if w == nil {
		return nil
	}
	_, err := w.Write(p)
	return err
}

// give opens the window again; more than is under way is not believed.
func (x *execution) give(n int64) {
	n = min(n, x.under.Load())
	x.under.Add(-n)
	x.window.Release(n)
}

// input sends the command's input. It ends with it, or when the command is over, which output sees.
func (x *execution) input(ctx context.Context) {
	frame := make([]byte, 1+32<<10)
	frame[0] = agentapi.Stdin
	for {
		n, err := x.Stdin.Read(frame[1:])
		if n > 0 {
			if x.window.Acquire(ctx, int64(n)) != nil {
				return
			}
			x.under.Add(int64(n))
			if x.conn.Write(ctx, websocket.MessageBinary, frame[:1+n]) != nil {
				return
			}
		}
		if errors.Is(err, io.EOF) {
			_ = x.conn.Write(ctx, websocket.MessageBinary, frame[:1]) // the end of input
			return
		}
		if err != nil {
			_ = x.conn.Close(websocket.StatusInternalError, "input failed") // the command must not take a part for the whole
			return
		}
	}
}

func (x *execution) sizes(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case s, ok := <-x.Resize:
			if !ok {
				return
			}
			text, err := json.Marshal(agentapi.Control{Resize: &s})
			if err != nil || x.conn.Write(ctx, websocket.MessageText, text) != nil {
				return
			}
		}
	}
}

// refusal reads why a WebSocket was refused; nil when it was not the server that refused it.
func refusal(resp *http.Response) error {
	if resp == nil || resp.StatusCode < http.StatusMultipleChoices {
		return nil
	}
	e := &api.Error{}
	if resp.Body != nil {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // the status says enough if this fails
		_ = json.Unmarshal(body, e)
	}
	e.Status = resp.StatusCode
	return e
}
