package agent

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// command is one running /v1/exec.
type command struct {
	conn   *websocket.Conn
	child  *child
	input  *os.File // what its input is written to; nil without input
	master *os.File // its terminal; nil without one
	stdin  chan []byte
}

// serveExec runs one command over one connection (agentapi says what the frames are).
func (a *Agent) serveExec(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer c.CloseNow()
	c.SetReadLimit(maxInput)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	_, first, err := c.Read(ctx)
	if err != nil {
		return
	}
	var req agentapi.ExecRequest
	if err := json.Unmarshal(first, &req); err != nil || len(req.Argv) == 0 {
		sayExit(ctx, c, agentapi.ExecExit{Error: "The command is missing."})
		return
	}
	cmd, outputs, err := a.startCommand(c, req)
	if err != nil {
		sayExit(ctx, c, agentapi.ExecExit{Error: startError(req.Argv[0], err)})
		return
	}
	defer cmd.close()
	go func() {
		defer cancel()
		cmd.receive(ctx)
	}()
	if cmd.input != nil {
		go cmd.feed(ctx)
	}
	var wg sync.WaitGroup
	if cmd.master != nil {
		var telling sync.WaitGroup
		telling.Go(func() { a.announcePorts(ctx) })
		telling.Go(func() { a.tellConsole(ctx, c) })
		defer telling.Wait()
		defer cancel()
	}
	for channel, f := range outputs {
		wg.Go(func() { sendOutput(ctx, c, channel, f) })
	}
	select {
	case <-cmd.child.ended:
	case <-ctx.Done():
		cmd.child.hangUp()
	}
	for _, f := range outputs {
		lastWords(f)
	}
	wg.Wait()
	for _, f := range outputs {
		f.Close()
	}
	sayExit(ctx, c, agentapi.ExecExit{Code: cmd.child.code()})
}

func sayExit(ctx context.Context, c *websocket.Conn, e agentapi.ExecExit) {
	text, _ := json.Marshal(e) // a number and a string
	if c.Write(ctx, websocket.MessageBinary, append([]byte{agentapi.Exit}, text...)) == nil {
		_ = c.Close(websocket.StatusNormalClosure, "")
	}
}

// startError is why a command did not begin, in a shell's words.
func startError(name string, err error) string {
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Sprintf("%q: command not found in the workspace", name)
	default:
		return fmt.Sprintf("%q did not start: %v", name, err)
	}
}

// startCommand starts the command and returns its outputs by channel, which the caller reads and closes.
func (a *Agent) startCommand(c *websocket.Conn, req agentapi.ExecRequest) (*command, map[byte]*os.File, error) {
	env := a.remoteEnvironment(req.Env)
	program, err := lookUp(req.Argv[0], env)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(program)
	cmd.Args, cmd.Env = req.Argv, env
	cmd.Dir = req.Dir
	if cmd.Dir == "" {
		cmd.Dir = a.folder()
	}
	run := &command{conn: c, stdin: make(chan []byte, agentapi.StdinWindow/1024)}
	if req.TTY {
		var size agentapi.Size
		if req.Size != nil {
			size = *req.Size
		}
		cmd.Env = append(cmd.Env, "TERM=xterm-256color")
		master, ch, err := a.startOnTerminal(cmd, size)
		if err != nil {
			return nil, nil, err
		}
		run.child, run.master = ch, master
		if req.Stdin {
			run.input = master
		}
		return run, map[byte]*os.File{agentapi.Stdout: master}, nil
	}
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
	}()
	outputs := make(map[byte]*os.File)
	fail := func(err error) (*command, map[byte]*os.File, error) {
		for _, f := range outputs {
			f.Close()
		}
		if run.input != nil {
			run.input.Close()
		}
		return nil, nil, err
	}
	for channel, to := range map[byte]*io.Writer{agentapi.Stdout: &cmd.Stdout, agentapi.Stderr: &cmd.Stderr} {
		read, write, err := os.Pipe()
		if err != nil {
			return fail(err)
		}
		outputs[channel], *to = read, write
		theirs = append(theirs, write)
	}
	if req.Stdin {
		read, write, err := os.Pipe()
		if err != nil {
			return fail(err)
		}
		run.input, cmd.Stdin = write, read
		theirs = append(theirs, read)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	ch, err := a.children.start(cmd)
	if err != nil {
		return fail(err)
	}
	run.child = ch
	return run, outputs, nil
}

// receive reads the connection until it ends. It never waits for the process, so that it sees the end at once; the
// sender keeps to agentapi.StdinWindow, and one that does not is cut off.
func (cmd *command) receive(ctx context.Context) {
	for {
		kind, p, err := cmd.conn.Read(ctx)
		if err != nil {
			return
		}
		if kind == websocket.MessageText {
			var control agentapi.Control
			if json.Unmarshal(p, &control) == nil && control.Resize != nil && cmd.master != nil {
				resize(cmd.master, *control.Resize)
			}
			continue
		}
		if len(p) == 0 || p[0] != agentapi.Stdin || cmd.input == nil {
			continue
		}
		select {
		case cmd.stdin <- p[1:]:
		default:
			_ = cmd.conn.Close(websocket.StatusPolicyViolation, "more input than the window")
			return
		}
	}
}

// feed writes the input to the process.
func (cmd *command) feed(ctx context.Context) {
	consumed := []byte{agentapi.Consumed, 0, 0, 0, 0}
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-cmd.stdin:
			if len(p) == 0 {
				cmd.endInput()
				return
			}
			_, err := cmd.input.Write(p)
			// A process that has closed its input gets the rest nowhere, as in a shell's pipe.
			if err != nil && !errors.Is(err, syscall.EPIPE) {
				return
			}
			binary.BigEndian.PutUint32(consumed[1:], uint32(len(p)))
			if cmd.conn.Write(ctx, websocket.MessageBinary, consumed) != nil {
				return
			}
		}
	}
}

// endInput closes the input; a terminal's ends with its end-of-file character (Ctrl-D).
func (cmd *command) endInput() {
	if cmd.master != nil {
		_, _ = cmd.master.Write([]byte{4}) // the process is gone if this fails
		return
	}
	cmd.input.Close()
}

func (cmd *command) close() {
	if cmd.input != nil {
		cmd.input.Close()
	}
}

// sendOutput sends what f gives until its end; when the connection is gone it still reads, so that the process can
// end by itself while it is being hung up.
func sendOutput(ctx context.Context, c *websocket.Conn, channel byte, f *os.File) {
	frame := make([]byte, 1+32<<10)
	frame[0] = channel
	out := newOutput(f)
	gone := false
	for {
		n, err := out.Read(frame[1:])
		if err != nil {
			return
		}
		gone = gone || c.Write(ctx, websocket.MessageBinary, frame[:1+n]) != nil
	}
}

// tellConsole writes what people in the workspace are told to a command that has a terminal, until ctx ends.
func (a *Agent) tellConsole(ctx context.Context, c *websocket.Conn) {
	texts, leave := a.opened.console()
	defer leave()
	for {
		select {
		case <-ctx.Done():
			return
		case text := <-texts:
			if c.Write(ctx, websocket.MessageBinary, append([]byte{agentapi.Stdout}, text...)) != nil {
				return // who read is gone
			}
		}
	}
}
