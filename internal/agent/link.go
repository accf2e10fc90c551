package agent

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/tunnel"
)

// The pauses between attempts to reach the server.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
)

var errNoServer = errors.New("the server is not connected")

// link is the tunnel, kept up.
type link struct {
	agent *Agent
	conn  atomic.Pointer[tunnel.Conn]
}

func newLink(a *Agent) *link { return &link{agent: a} }

// keep dials the server again whenever the tunnel is down, until ctx ends.
func (l *link) keep(ctx context.Context) {
	c := l.agent.config
	handler := l.agent.api()
	pause := firstPause
	told := false // that the server cannot be reached is logged once, not at every attempt
	for ctx.Err() == nil {
		conn, err := tunnel.Dial(ctx, tunnel.Peer{Socket: c.Socket, Build: c.Build, Start: l.agent.startID, Handler: handler, Log: c.Log})
		if err == nil {
			l.agent.log.Info("connected", "server", conn.Server().Build)
			pause, told = firstPause, false
			l.conn.Store(conn)
			select {
			case <-conn.Done():
			case <-ctx.Done():
			}
			l.conn.Store(nil)
			conn.Close()
			l.agent.log.Info("disconnected")
		} else if !told {
			l.agent.log.Warn("the server cannot be reached", "err", err)
			told = true
		}
		// Half of the pause is random: many agents lose the same server at once.
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
		pause = min(2*pause, lastPause)
	}
}

// RoundTrip sends a request to the server.
func (l *link) RoundTrip(r *http.Request) (*http.Response, error) {
	conn := l.conn.Load()
	if conn == nil {
		return nil, errNoServer
	}
	return conn.Transport().RoundTrip(r)
}
