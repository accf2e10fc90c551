package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// mainTerminal is the terminal that the page attaches to where its address names none. It lives in the workspace, attached or
// not.
const mainTerminal = "main"

// serve is the terminal's WebSocket: binary frames are the terminal's bytes, text frames are agentapi.Control.
func (g *Gate) serve(w http.ResponseWriter, r *http.Request) error {
	ws, err := g.find(r)
	if err != nil {
		return err
	}
	// The host names this workspace, so the origin is this workspace's own page and no other's.
	if err := web.GuardOrigin(r, g.c.Scheme+"://"+r.Host); err != nil {
		return err
	}
	if r.Header.Get("Upgrade") == "" {
		return problem.New(problem.Invalid, "This address is a terminal's WebSocket; open the site's first page instead.")
	}
	name := r.URL.Query().Get("terminal")
	if name == "" {
		name = mainTerminal
	}
	if !agentapi.ValidName(name) {
		return problem.New(problem.Invalid, "%q cannot name a terminal.", name)
	}
	said := make(chan struct{})
	var person *websocket.Conn
	ctx, lease, err := g.c.Access.Open(r.Context(), access.Request{
		Principal: web.PrincipalFrom(r.Context()), Action: identity.WorkspaceOpen, Resource: resource(ws), IP: web.ClientIP(r),
		Durable: true, Detail: map[string]any{"terminal": name},
	}, func(reason access.Reason) {
		<-said // until there is a connection to say it on
		if person != nil {
			farewell(person, reason)
		}
	})
	if err != nil {
		return err
	}
	defer lease.End()
	if conn := web.ConnFrom(ctx); conn != nil {
		lease.Hold(conn)
	}
	agent, err := agentapi.New(g.c.Hub.Client(ws.ID)).Terminal(ctx, name, size(r))
	if err != nil {
		close(said)
		return err
	}
	defer agent.CloseNow()
	lease.Hold(closer(agent.CloseNow))
	if person, err = websocket.Accept(w, r, nil); err != nil {
		person = nil
		close(said)
		return nil // Accept has answered
	}
	defer person.CloseNow()
	lease.Hold(closer(person.CloseNow))
	person.SetReadLimit(maxFrame)
	close(said)

	run := relay{person: person, agent: agent, check: control, count: lease.Count}
	ended := run.run(ctx)
	if !lease.Reason().IsZero() {
		<-lease.Cut()
		return nil
	}
	if ended != nil && g.leaves(ws.ID) {
		ended = errLeaves
	}
	run.finish(ended)
	return nil
}

// errLeaves is how a shell's end is told that came with its workspace's: no new shell can be opened for now.
var errLeaves = errors.New("the workspace is being stopped or deleted")

func (g *Gate) leaves(id identity.WorkspaceID) bool {
	ws, ok := g.c.Workspaces.Get(id)
	return !ok || ws.Desired == workspace.WantStopped || ws.Desired == workspace.WantDeleted
}

// farewell tells the person in the terminal itself, and the page by the close code.
func farewell(person *websocket.Conn, reason access.Reason) {
	ctx, cancel := context.WithTimeout(context.Background(), access.Goodbye)
	defer cancel()
	line := "\r\n\x1b[31mLanyard closed this terminal: " + printable(reason.Text) + "\x1b[0m\r\n"
	if person.Write(ctx, websocket.MessageBinary, []byte(line)) == nil {
		_ = person.Close(closedByLanyard, brief(printable(reason.Text))) // the person may be gone
	}
}

// printable takes what a terminal would obey out of a text: names in it come from outside.
func printable(s string) string {
	clean := make([]rune, 0, len(s))
	for _, r := range s {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			r = ' '
		}
		clean = append(clean, r)
	}
	return string(clean)
}

// control lets bytes pass, and of text frames only what the agent knows, spelt anew.
func control(kind websocket.MessageType, frame []byte) ([]byte, bool) {
	if kind == websocket.MessageBinary {
		return frame, true
	}
	var c agentapi.Control
	if json.Unmarshal(frame, &c) != nil || c.Resize == nil {
		return nil, false
	}
	text, err := json.Marshal(agentapi.Control{Resize: c.Resize})
	return text, err == nil
}

func size(r *http.Request) agentapi.Size {
	number := func(name string) uint16 {
		n, err := strconv.ParseUint(r.URL.Query().Get(name), 10, 16)
		if err != nil {
			return 0
		}
		return uint16(n)
	}
	return agentapi.Size{Cols: number("cols"), Rows: number("rows")}
}
