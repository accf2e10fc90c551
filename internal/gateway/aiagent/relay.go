package aiagent

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

const (
	// maxFrame bounds a frame from either side, in bytes.
	maxFrame = 1<<20 + 1
	// patience is how long a peer may take to read a frame, before it is taken for gone.
	patience = 30 * time.Second
)

// dial begins the AI agent's command in its sibling.
func (g *Gate) dial(ctx context.Context, sibling identity.WorkspaceID, request agentapi.ExecRequest) (*websocket.Conn, error) {
	first, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: g.c.Hub.Client(sibling)}
	conn, _, err := websocket.Dial(ctx, "http://workspace/v1/exec", &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		return nil, problem.Wrap(err, problem.Unavailable, "The AI agent's workspace is not reached now.")
	}
	conn.SetReadLimit(maxFrame)
	if err := conn.Write(ctx, websocket.MessageText, first); err != nil {
		conn.CloseNow()
		return nil, problem.Wrap(err, problem.Unavailable, "The AI agent's workspace is not reached now.")
	}
	return conn, nil
}

// relay carries a command's frames between the person's connection and the sibling's until the command has ended or one
// of the connections or ctx. It returns how the command ended, where it did.
func relay(ctx context.Context, person, sibling *websocket.Conn, count func(int64)) (exit agentapi.ExecExit, ended bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel() // the person is gone: so is the command
		up(ctx, person, sibling, count)
	}()
	for {
		kind, frame, err := sibling.Read(ctx)
		if err != nil {
			return exit, false
		}
		count(int64(len(frame)))
		if kind != websocket.MessageBinary || len(frame) == 0 {
			continue
		}
		if frame[0] == agentapi.Exit {
			return exit, json.Unmarshal(frame[1:], &exit) == nil
		}
		if send(ctx, person, kind, frame) != nil {
			return exit, false
		}
	}
}

// up carries what the person's side sends: input, and the size of its terminal. The person's connection is never used with
// ctx: the library closes a connection whose context ends, and something is still to be said on it.
func up(ctx context.Context, person, sibling *websocket.Conn, count func(int64)) {
	for {
		kind, frame, err := person.Read(context.WithoutCancel(ctx))
		if err != nil || ctx.Err() != nil {
			return
		}
		count(int64(len(frame)))
		if kind == websocket.MessageText {
			var c agentapi.Control
			if json.Unmarshal(frame, &c) != nil || c.Resize == nil {
				continue
			}
			if frame, err = json.Marshal(agentapi.Control{Resize: c.Resize}); err != nil {
				continue
			}
		} else if len(frame) == 0 || frame[0] != agentapi.Stdin {
			continue
		}
		if sibling.Write(ctx, kind, frame) != nil {
			return
		}
	}
}

// send writes a frame to the person, who may be slow, also after ctx has ended.
func send(ctx context.Context, person *websocket.Conn, kind websocket.MessageType, frame []byte) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return person.Write(ctx, kind, frame)
}

// say tells the person's side something about the AI agent.
func say(ctx context.Context, person *websocket.Conn, e agentapi.AgentEvent) {
	text, err := problem.JSON(e)
	if err != nil {
		return
	}
	_ = send(ctx, person, websocket.MessageText, text) // the person may be gone
}

// end is the last frame: the command's exit status, or why there is none.
func end(ctx context.Context, person *websocket.Conn, exit agentapi.AgentExit) {
	text, err := problem.JSON(exit)
	if err != nil {
		return
	}
	if send(ctx, person, websocket.MessageBinary, append([]byte{agentapi.Exit}, text...)) == nil {
		_ = person.Close(websocket.StatusNormalClosure, "") // the person may be gone
	}
}

// refuse is end with an error.
func refuse(ctx context.Context, person *websocket.Conn, err error) {
	d := problem.DocumentOf(err)
	end(ctx, person, agentapi.AgentExit{Problem: &d})
}

// goodbye tells the person why Lanyard ends an AI agent, in the little time there is after a cut.
func goodbye(person *websocket.Conn, name string, reason access.Reason) {
	ctx, cancel := context.WithTimeout(context.Background(), access.Goodbye)
	defer cancel()
	d := problem.DocumentOf(problem.New(problem.Denied, "Lanyard ended the AI agent %s: %s.", name, reason.Text))
	text, err := problem.JSON(agentapi.AgentExit{Problem: &d})
	if err != nil {
		return
	}
	if person.Write(ctx, websocket.MessageBinary, append([]byte{agentapi.Exit}, text...)) == nil {
		_ = person.Close(websocket.StatusNormalClosure, "") // the person may be gone
	}
}

type closer func() error

func (c closer) Close() error { return c() }
