package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
)

func (a *app) portForward() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "port-forward WORKSPACE PORT[:LOCAL]…",
		Short: "Reach ports of a workspace at ports of this machine",
		Long: `Listens on this machine's loopback, and carries each connection to a port of the workspace's own loopback, until Ctrl-C. LOCAL
is the port of this machine, 0 a free one; without it the same. Only a workspace's owner may. When access ends, so does this,
with what is open, and with exit status 3.

Whoever may open a connection on this machine may use the port meanwhile.`,
		Example: `  lanyard port-forward w-abcdefghij234567 3000
  lanyard port-forward w-abcdefghij234567 80:8080 5432:0`,
		Args: cobra.MinimumNArgs(2), ValidArgsFunction: a.completeWorkspaces(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			var ports []forward
			for _, text := range args[1:] {
				f, err := parseForward(text)
				if err != nil {
					return err
				}
				ports = append(ports, f)
			}
			r, err := a.connect(cmd.Context(), user)
			if err != nil {
				return err
			}
			defer r.Close()
			return a.forward(cmd.Context(), r, args[0], ports, asJSON)
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "say what listens where as one line of JSON a port")
	return cmd
}

// forward is a port of a workspace and the one of this machine.
type forward struct {
	Port  int    `json:"port"`
	Local string `json:"local"` // address
}

func parseForward(text string) (forward, error) {
	from, to, two := strings.Cut(text, ":")
	if !two {
		to = from
	}
	port, err := strconv.ParseUint(from, 10, 16)
	local, wrong := strconv.ParseUint(to, 10, 16)
	if err != nil || wrong != nil || port == 0 {
		return forward{}, usage("%q is not PORT or PORT:LOCAL", text)
	}
	return forward{int(port), net.JoinHostPort("127.0.0.1", strconv.FormatUint(local, 10))}, nil
}

// forward listens and carries until ctx ends, which is how it is meant to end, or access does.
func (a *app) forward(ctx context.Context, r *remote.Remote, workspace string, ports []forward, asJSON bool) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var listeners []net.Listener
	var all sync.WaitGroup
	defer all.Wait()
	defer func() {
		for _, l := range listeners {
			l.Close()
		}
	}()
	for i, f := range ports {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.Local)
		if err != nil {
			return problem.Wrap(err, problem.Invalid, "Port %s of this machine cannot be listened on (%v). Name another, or 0 for a free one: %d:0", portOf(f.Local), err, f.Port)
		}
		listeners = append(listeners, l)
		ports[i].Local = l.Addr().String()
	}
	serve := sync.OnceFunc(func() {
		for i, l := range listeners {
			if f := ports[i]; asJSON {
				_ = a.out.json(f) // who reads no more needs no error
			} else {
				a.out.line("%s leads to port %d of %s; Ctrl-C ends it", f.Local, f.Port, workspace)
			}
			all.Go(func() { a.accept(ctx, r, workspace, ports[i].Port, l, &all) })
		}
	})
	err := a.hold(ctx, r, workspace, serve)
	stop(err)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// accept carries each connection on its own.
func (a *app) accept(ctx context.Context, r *remote.Remote, workspace string, port int, l net.Listener, all *sync.WaitGroup) {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		all.Go(func() {
			err := r.Forward(ctx, workspace, port, c.(*net.TCPConn))
			if err != nil && ctx.Err() == nil && remote.KindOf(err) != problem.Denied { // a denial ends all, and is told there
				a.err.line("port %d: %s", strconv.Itoa(port), toldShortly(err))
			}
		})
	}
}

// reconnectWithin is for how long a server that went away is waited for.
const reconnectWithin = time.Minute

// hold keeps the right to forward ports, across a restart of the server.
func (a *app) hold(ctx context.Context, r *remote.Remote, workspace string, begun func()) error {
	var lost time.Time
	for {
		err := r.Holding(ctx, workspace, func() {
			if !lost.IsZero() {
				a.err.line("The server is back.")
			}
			lost = time.Time{}
			begun()
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var refused *api.Error
		if errors.As(err, &refused) && refused.Status != problem.Unavailable.Status() || remote.KindOf(err) == problem.Denied || remote.KindOf(err) == problem.SignInNeeded {
			return err
		}
		if w, unknown := r.Workspace(ctx, workspace); unknown == nil && w.Phase != "running" {
			return problem.Wrap(err, problem.Unavailable, "The workspace is %s. `lanyard start %s` starts it again.", w.Phase, w.ID)
		}
		if lost.IsZero() {
			lost = a.c.Now()
			a.err.line("The connection to the server is lost; trying again for %s.", fmt.Sprint(reconnectWithin))
		}
		if a.c.Now().Sub(lost) > reconnectWithin {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func portOf(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return port
}

// toldShortly is an error in one line.
func toldShortly(err error) string {
	var refused *api.Error
	if errors.As(err, &refused) {
		return refused.Detail
	}
	return problem.Message(err)
}
