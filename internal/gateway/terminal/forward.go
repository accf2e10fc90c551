package terminal

import (
	"context"
	"net/http"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// Forward carries one connection to a port of a workspace over the WebSocket of r, whose site has checked where it comes from;
// agentapi.Client.Port says what the frames are. With port 0 it carries nothing, and stays for as long as somebody forwards
// ports: it is in the audit log before any is, and tells them at once when access ends.
func (g *Gate) Forward(w http.ResponseWriter, r *http.Request, ws workspace.Workspace, port int) error {
	if r.Header.Get("Upgrade") == "" {
		return problem.New(problem.Invalid, "This address is a WebSocket, for `lanyard port-forward`.")
	}
	said := make(chan struct{})
	var person *websocket.Conn
	request := access.Request{
		Principal: web.PrincipalFrom(r.Context()), Action: identity.WorkspaceOpen, Resource: resource(ws), IP: web.ClientIP(r),
		Durable: port == 0, Detail: map[string]any{"port": port},
	}
	if port == 0 {
		request.Detail = map[string]any{"forward": "ports"}
	}
	ctx, lease, err := g.c.Access.Open(r.Context(), request, func(reason access.Reason) {
		<-said // until there is a connection to say it on
		if person != nil {
			_ = person.Close(closedByLanyard, brief(printable(reason.Text))) // the person may be gone
		}
	})
	if err != nil {
		return err
	}
	defer lease.End()
	if conn := web.ConnFrom(ctx); conn != nil {
		lease.Hold(conn)
	}
	agent, err := agentapi.New(g.c.Hub.Client(ws.ID)).Port(ctx, port)
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

	run := relay{person: person, agent: agent, check: bytesOnly, count: lease.Count, patient: port != 0}
	ended := run.run(ctx)
	if !lease.Reason().IsZero() {
		<-lease.Cut()
		return nil
	}
	run.finish(ended)
	return nil
}

// bytesOnly lets a connection's bytes pass, and nothing else.
func bytesOnly(kind websocket.MessageType, frame []byte) ([]byte, bool) {
	return frame, kind == websocket.MessageBinary
}

// within bounds how long the person may take to read a frame. Who reads from a forwarded port may pause for as long as they like,
// as with any connection; a machine that is gone is found out by TCP.
func (r relay) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.patient {
		return context.WithCancel(context.WithoutCancel(ctx))
	}
	return context.WithTimeout(context.WithoutCancel(ctx), patience)
}
