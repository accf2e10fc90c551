package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// ExecEnd is the last frame of a command as the gateway says it: agentapi.ExecExit, and whether access was refused or
// has ended.
type ExecEnd struct {
	agentapi.ExecExit
	Denied bool `json:"denied,omitempty"`
}

func failed(format string, args ...any) ExecEnd {
	return ExecEnd{ExecExit: agentapi.ExecExit{Error: fmt.Sprintf(format, args...)}}
}

// Exec runs a command in a workspace over the WebSocket of r, whose site has checked where it comes from. The frames
// are agentapi's: the first is the ExecRequest. The command is in the audit log before it begins.
func (g *Gate) Exec(w http.ResponseWriter, r *http.Request, ws workspace.Workspace) error {
	person, err := websocket.Accept(w, r, nil)
	if err != nil {
		return nil // Accept has answered
	}
	defer person.CloseNow()
	person.SetReadLimit(maxFrame)
	request, first, err := readCommand(r.Context(), person)
	if err != nil {
		end(person, failed("%s", problem.Message(err)))
		return nil
	}
	ctx, lease, err := g.c.Access.Open(r.Context(), access.Request{
		Principal: web.PrincipalFrom(r.Context()), Action: identity.WorkspaceOpen, Resource: resource(ws), IP: web.ClientIP(r),
		Durable: true, Detail: map[string]any{"exec": shown(request.Argv), "tty": request.TTY},
	}, func(reason access.Reason) {
		e := failed("Lanyard closed this: %s", printable(reason.Text))
		e.Denied = true
		end(person, e)
	})
	if err != nil {
		kind := problem.KindOf(err)
		e := failed("%s", problem.Message(err))
		e.Denied = kind == problem.Denied || kind == problem.NotFound || kind == problem.SignInNeeded
		end(person, e)
		return nil
	}
	defer lease.End()
	lease.Hold(closer(person.CloseNow))
	if conn := web.ConnFrom(ctx); conn != nil {
		lease.Hold(conn)
	}
	agent, err := g.dialExec(ctx, ws.ID, first)
	if err != nil {
		if lease.Reason().IsZero() {
			end(person, failed("%s", problem.Message(err)))
		}
		return nil
	}
	defer agent.CloseNow()
	lease.Hold(closer(agent.CloseNow))
	run := relay{person: person, agent: agent, check: input, count: lease.Count}
	ended := run.run(ctx)
	if !lease.Reason().IsZero() {
		<-lease.Cut()
		return nil
	}
	var closed websocket.CloseError
	if ended != nil && !(errors.As(ended, &closed) && closed.Code == websocket.StatusNormalClosure) {
		end(person, failed("The connection to the workspace ended before the command did."))
		return nil
	}
	run.finish(ended)
	return nil
}

func (g *Gate) dialExec(ctx context.Context, id identity.WorkspaceID, first []byte) (*websocket.Conn, error) {
	client := &http.Client{Transport: g.c.Hub.Client(id)}
	agent, _, err := websocket.Dial(ctx, "http://workspace/v1/exec", &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		return nil, problem.Wrap(err, problem.Unavailable, "The workspace is not reached now.")
	}
	agent.SetReadLimit(maxFrame + 1)
	if err := agent.Write(ctx, websocket.MessageText, first); err != nil {
		agent.CloseNow()
		return nil, problem.Wrap(err, problem.Unavailable, "The workspace is not reached now.")
	}
	return agent, nil
}

// readCommand reads the first frame, and spells it anew for the agent.
func readCommand(ctx context.Context, person *websocket.Conn) (agentapi.ExecRequest, []byte, error) {
	var request agentapi.ExecRequest
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	kind, frame, err := person.Read(ctx)
	if err != nil {
		return request, nil, err
	}
	if kind != websocket.MessageText || json.Unmarshal(frame, &request) != nil || len(request.Argv) == 0 {
		return request, nil, problem.New(problem.Invalid, "The first frame does not say which command to run.")
	}
	again, err := json.Marshal(request)
	return request, again, err
}

// maxShown bounds how much of a command the audit log keeps, in bytes.
const maxShown = 2000

func shown(argv []string) []string {
	left := maxShown
	var kept []string
	for _, a := range argv {
		if len(a) > left {
			return append(kept, a[:left], "…")
		}
		kept = append(kept, a)
		left -= len(a)
	}
	return kept
}

// input lets pass what a command takes: its input, and the size of its terminal.
func input(kind websocket.MessageType, frame []byte) ([]byte, bool) {
	if kind == websocket.MessageText {
		return control(kind, frame)
	}
	return frame, len(frame) > 0 && frame[0] == agentapi.Stdin
}

// end says how the command ended, as its last frame.
func end(person *websocket.Conn, e ExecEnd) {
	text, err := json.Marshal(e)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if person.Write(ctx, websocket.MessageBinary, append([]byte{agentapi.Exit}, text...)) == nil {
		_ = person.Close(websocket.StatusNormalClosure, "") // the person may be gone
	}
}
