// Package agent is the workspace agent: process 1 of a workspace. It keeps the tunnel to the server, passes on what
// the workspace's processes ask of http://127.0.0.1:7070, and serves setup, terminals and commands to the server
// (tunnel/agentapi). Processes and terminals do not notice when the server goes away and comes back.
//
// The agent shares its user with every process of the workspace, so it defends itself: it is undumpable (no process
// can read or trace it), takes every signal, and gives its children neither its descriptors nor its environment.
package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// Config is what Run needs; cmd/lanyard-agent has the values of a real workspace.
type Config struct {
	Socket    string   // path of the server's socket
	Listen    string   // loopback address for the workspace's processes
	Private   string   // folder in memory for what only the workspace's user may reach: the Unix socket, tokens; empty for none
	Home      string   // home folder of the workspace's user
	User      string   // that user's name; empty: lanyard
	Shell     string   // of its terminals; empty: bash
	Inherit   []string // environment that the image and the runtime give every process, as os.Environ has it
	Workspace string   // folder that holds checkouts
	Build     string   // version, told to the server
	Log       *slog.Logger
	// Ready, if not nil, is called once the agent listens. An error ends Run: whoever started the workspace is gone.
	Ready func() error
}

// Agent is one running agent.
type Agent struct {
	config   Config
	startID  string // start ID: another one means that the workspace's processes are others
	log      *slog.Logger
	children *children
	link     *link

	tokens *tokenFiles // nil where there is no folder in memory

	terminals terminals
	setups    sync.Mutex // one setup at a time
	work      *work
	changes   changes // of what goes on in the workspace
	syncs     syncs
	figures   figures
	opened    openedPorts

	quarantines quarantines
	refusals    *refusals // of connections beyond Lanyard

	mu   sync.Mutex // guards the rest
	name string     // of the last setup
	env  map[string]string
	done bool // a setup is done

	remote    map[string]string // env of terminals, tasks and commands alone
	start     string            // folder in which those begin; empty: the checkout
	portPlans []agentapi.PortPlan
	gitFile   string // configuration that takes the place of /etc/gitconfig

	stop     chan struct{}
	stopOnce sync.Once
}

// Run works until ctx ends, the server asks the workspace to stop (both nil), or something fatal happens.
func Run(ctx context.Context, c Config) error {
	a := &Agent{config: c, startID: rand.Text(), log: c.Log, children: newChildren(), work: newWork(), stop: make(chan struct{})}
	if a.config.User == "" {
		a.config.User = defaultName
	}
	if a.config.Shell == "" {
		a.config.Shell = defaultShell
	}
	a.terminals.open = make(map[string]*terminal)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	if err := becomeInit(ctx, &wg, a.children); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("agent: listen: %w", err)
	}
	a.config.Listen = listener.Addr().String()
	a.link = newLink(a)
	a.refusals = newRefusals(c.Home, c.Log)
	forward := newForward(a.link, a.refusals, c.Log)
	proxy := newProxy(forward, newEgress(a.link, a.refusals, c.Log), listener.Addr().(*net.TCPAddr).Port, c.Log)
	defer proxy.Close()
	failed := make(chan error, 2)
	wg.Go(func() { failed <- proxy.Serve(listener) })
	if c.Private != "" {
		private, err := listenPrivate(c.Private)
		if err != nil {
			return err
		}
		commands := newPrivate(forward, a.local(), c.Log)
		defer commands.Close()
		wg.Go(func() { failed <- commands.Serve(private) })
		if a.tokens, err = newTokenFiles(filepath.Join(c.Private, "tokens"), a.link, c.Log); err != nil {
			c.Log.Warn("no files with tokens", "err", err)
		} else {
			wg.Go(func() { a.tokens.keep(ctx) })
		}
	}
	wg.Go(func() { a.link.keep(ctx) })
	wg.Go(func() { a.keepAtWork(ctx) })
	if c.Ready != nil {
		if err := c.Ready(); err != nil {
			return fmt.Errorf("agent: %w", err)
		}
	}
	defer a.terminals.closeAll()
	select {
	case <-ctx.Done():
		return nil
	case <-a.stop:
		return nil
	case err := <-failed:
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("agent: serve: %w", err)
	}
}

// api is what the server reaches over the tunnel.
func (a *Agent) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/setup", a.serveSetup)
	mux.HandleFunc("GET /v1/status", a.serveStatus)
	mux.HandleFunc("POST /v1/stop", a.serveStop)
	mux.HandleFunc("GET /v1/terminal/{name}", func(w http.ResponseWriter, r *http.Request) {
		defer a.work.opened()()
		ctx, gone := context.WithCancel(r.Context())
		var telling sync.WaitGroup
		telling.Go(func() { a.announcePorts(ctx) })
		a.serveTerminal(w, r)
		gone()
		telling.Wait()
	})
	a.shared(mux)
	mux.HandleFunc("GET /v1/exec", a.serveExec)
	mux.Handle("POST /v1/refused", a.refusals)
	mux.HandleFunc("POST /v1/checkout/pack", a.servePack)
	mux.HandleFunc("POST /v1/checkout/unpack", a.serveUnpack)
	mux.HandleFunc("POST /v1/checkout/fold", a.serveFold)
	mux.HandleFunc("POST /v1/checkout/unfold", a.serveUnfold)
	mux.HandleFunc("GET /v1/port/{port}", a.servePort)
	mux.HandleFunc("GET /v1/work", a.serveUnsaved)
	mux.HandleFunc("POST /v1/notice", a.serveNotice)
	return mux
}

// stopGrace is how long processes have between being asked to end and being ended.
const stopGrace = 2 * time.Second

func (a *Agent) serveStop(w http.ResponseWriter, r *http.Request) {
	a.children.endAll(stopGrace)
	w.WriteHeader(http.StatusNoContent)
	_ = http.NewResponseController(w).Flush() // the server learns it from the runtime too
	a.stopOnce.Do(func() { close(a.stop) })
}

// folder is where terminals, tasks and commands start: where the setup says, or the checkout, or the workspace's root before
// there is one.
func (a *Agent) folder() string {
	a.mu.Lock()
	name, start := a.name, a.start
	a.mu.Unlock()
	for _, dir := range []string{start, filepath.Join(a.config.Workspace, name)} {
		if info, err := os.Stat(dir); filepath.IsAbs(dir) && err == nil && info.IsDir() {
			return dir
		}
	}
	return a.config.Workspace
}
