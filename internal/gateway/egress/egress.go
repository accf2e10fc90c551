// Package egress connects workspaces to hosts beyond Lanyard: those that their project's file lists and policies allow, on the
// public internet. A connection holds a lease for as long as it stands. What is TLS on it must name the host that was asked
// for, and what is HTTP without TLS goes through request by request and must name it too, so that an allowed host that
// fronts for others leads to none of them.
package egress

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
)

// maxOpen bounds the connections of one workspace.
const maxOpen = 512

const bufferSize = 32 << 10

// Config makes a Gate.
type Config struct {
	Access   access.Authorizer
	Upstream *upstream.Upstream
	// Tell, which may be nil, writes to a workspace's own log what became of a connection after it was made. It does not wait.
	Tell func(identity.WorkspaceID, agentapi.Refusal)
	Log  *slog.Logger
}

// Gate serves gateway.EgressPath.
type Gate struct {
	c       Config
	buffers sync.Pool
	mu      sync.Mutex
	open    map[identity.SessionID]int // connections now
}

// New returns a Gate.
func New(c Config) *Gate {
	return &Gate{c: c, buffers: sync.Pool{New: func() any { return new([bufferSize]byte) }}, open: map[identity.SessionID]int{}}
}

// Serve is the handler of the machine site's route.
func (g *Gate) Serve(w http.ResponseWriter, r *http.Request) error {
	gateway.Headers(w.Header())
	who := web.PrincipalFrom(r.Context())
	if err := gateway.Known(who); err != nil {
		return err
	}
	if who.Workspace == "" || who.Project == "" {
		return problem.New(problem.Denied, "Not allowed: only workspaces connect out through Lanyard.")
	}
	if r.Method != http.MethodGet || r.ProtoMajor != 1 || !strings.EqualFold(r.Header.Get("Upgrade"), agentapi.EgressProtocol) {
		return problem.New(problem.Invalid, "This address is for the agents of workspaces.")
	}
	asked := r.Header.Get(agentapi.EgressTarget)
	host, port, ok := project.SplitEgress(asked)
	if !ok {
		return problem.New(problem.Invalid, "%q is not a host and a port.", gateway.Printable(asked))
	}
	done, err := g.count(who.Session)
	if err != nil {
		return err
	}
	defer done()
	x := &exchange{Gate: g, who: who, host: host, port: port, resource: project.EgressResource(host, port, who.Project)}
	ctx, lease, err := g.c.Access.Open(r.Context(), access.Request{
		Principal: who, Action: identity.EgressConnect, Resource: x.resource, IP: web.ClientIP(r),
	}, x.cut)
	if err != nil {
		return err
	}
	defer lease.End()
	x.lease = lease
	return x.connect(ctx, w)
}

// count counts a session's connections.
func (g *Gate) count(s identity.SessionID) (done func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open[s] >= maxOpen {
		return nil, problem.New(problem.TooMany, "This workspace has %d connections open, which is as many as it may have. Close some first.", maxOpen)
	}
	g.open[s]++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.open[s]--; g.open[s] == 0 {
			delete(g.open, s)
		}
	}, nil
}

// exchange is one connection of a workspace.
type exchange struct {
	*Gate
	who      identity.Principal
	host     string // as project.ParseEgressHost has it
	port     int
	resource identity.Resource
	lease    *access.Lease
}

// dial connects to the host; a cut closes what it returns.
func (x *exchange) dial(ctx context.Context) (net.Conn, error) {
	conn, err := x.c.Upstream.DialOut(ctx, x.host, x.port)
	if err != nil {
		if problem.KindOf(err) == problem.Denied {
			x.lease.Note("refused", problem.Message(err))
		}
		return nil, err
	}
	x.lease.Hold(conn)
	return conn, nil
}

// connect dials, takes the workspace's connection over and carries bytes until either side ends, or the lease is cut.
func (x *exchange) connect(ctx context.Context, w http.ResponseWriter) error {
	out, err := x.dial(ctx)
	if err != nil {
		return err
	}
	defer out.Close()
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return problem.Wrap(err, problem.Internal, "This connection cannot be taken over.")
	}
	defer conn.Close()
	x.lease.Hold(conn)
	head := http.Response{StatusCode: http.StatusSwitchingProtocols, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Connection": {"Upgrade"}, "Upgrade": {agentapi.EgressProtocol}}}
	if err := head.Write(conn); err != nil {
		return http.ErrAbortHandler
	}
	x.carry(&client{Conn: conn, from: buffered.Reader}, out)
	return nil
}

// refuse ends a connection that was made, for a reason that the audit log and the workspace are told.
func (x *exchange) refuse(why string) {
	x.lease.Note("refused", why)
	x.c.Log.Info("a workspace's connection is refused", "workspace", x.who.Workspace, "to", x.resource.Name, "why", why)
	x.tell(why)
}

func (x *exchange) tell(why string) {
	if x.c.Tell != nil {
		x.c.Tell(x.who.Workspace, agentapi.Refusal{Target: x.resource.Name, Why: why})
	}
}

// cut is the goodbye of a connection whose bytes mean nothing to us: it is said in the workspace's log.
func (x *exchange) cut(r access.Reason) { x.tell("Lanyard closed this: " + r.Text + ".") }
