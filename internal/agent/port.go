package agent

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// dialPortWithin bounds how long a process of the workspace may take to accept a connection.
const dialPortWithin = 10 * time.Second

// servePort connects to a port of loopback (agentapi.Client.Port says what the frames are). The agent's own port is not among
// them: whoever reaches that speaks as the workspace.
func (a *Agent) servePort(w http.ResponseWriter, r *http.Request) {
	port, err := strconv.ParseUint(r.PathValue("port"), 10, 16)
	if err != nil {
		http.Error(w, "not a port", http.StatusBadRequest)
		return
	}
	if port == 0 {
		stay(w, r)
		return
	}
	if _, own, err := net.SplitHostPort(a.config.Listen); err != nil || own == strconv.FormatUint(port, 10) {
		http.Error(w, "this port is Lanyard's own", http.StatusForbidden)
		return
	}
	stream, err := dialLoopback(r.Context(), strconv.FormatUint(port, 10))
	if err != nil {
		http.Error(w, "nothing listens on this port", http.StatusBadGateway)
		return
	}
	defer stream.Close()
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer c.CloseNow()
	c.SetReadLimit(maxInput)
	_ = agentapi.Carry(r.Context(), c, stream) // the other side says why it ended
}

// dialLoopback connects to a port by either version of IP: servers listen on one or the other.
func dialLoopback(ctx context.Context, port string) (*net.TCPConn, error) {
	dialer := net.Dialer{Timeout: dialPortWithin}
	c, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		c, err = dialer.DialContext(ctx, "tcp", net.JoinHostPort("::1", port))
	}
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// stay keeps a connection until the other side ends it, or the agent ends.
func stay(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer c.CloseNow()
	<-c.CloseRead(r.Context()).Done()
}
