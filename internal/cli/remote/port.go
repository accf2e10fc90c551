package remote

import (
	"context"
	"errors"
	"net/url"
	"strconv"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// Port connects to a port of a workspace; agentapi.Client.Port says what the frames are, and what port 0 is.
func (r *Remote) Port(ctx context.Context, workspace string, port int) (*websocket.Conn, error) {
	conn, resp, err := r.dial(ctx, "/workspaces/"+url.PathEscape(workspace)+"/ports/"+strconv.Itoa(port))
	if err != nil {
		if refused := refusal(resp); refused != nil {
			return nil, refused
		}
		return nil, lost(ctx, err)
	}
	conn.SetReadLimit(maxFrame)
	return conn, nil
}

// closedByLanyard is the close code that says that access has ended, with the reason.
const closedByLanyard websocket.StatusCode = 4403

// Forward carries a connection of this machine to a port of a workspace, and closes it in the end.
func (r *Remote) Forward(ctx context.Context, workspace string, port int, s agentapi.Stream) error {
	defer s.Close()
	conn, err := r.Port(ctx, workspace, port)
	if err != nil {
		return err
	}
	return toldBy(agentapi.Carry(ctx, conn, s))
}

// Holding keeps what says that ports may be forwarded, until that ends: a problem.Denied says that access has, another error that
// the connection or the workspace has. begun is called when it may begin.
func (r *Remote) Holding(ctx context.Context, workspace string, begun func()) error {
	conn, err := r.Port(ctx, workspace, 0)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	begun()
	_, _, err = conn.Read(ctx) // nothing is sent
	if ctx.Err() != nil {
		_ = conn.Close(websocket.StatusNormalClosure, "") // the server ends what it holds
		return ctx.Err()
	}
	return toldBy(lost(ctx, err))
}

// toldBy is the error of a connection that the server closed with a reason.
func toldBy(err error) error {
	if closed, ok := errors.AsType[websocket.CloseError](err); ok && closed.Code == closedByLanyard {
		return problem.Wrap(err, problem.Denied, "Lanyard closed this: %s", closed.Reason)
	}
	return err
}
