// Package runtimetest holds what every workspace.Runtime must pass. It drives real workspaces through a real
// tunnel.Hub, whose agent answers commands.
package runtimetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/tunnel"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// Harness is what the suite needs of a runtime under test.
type Harness struct {
	// Open returns the runtime. A later call returns a new value on the same data, as a restarted server makes it.
	Open func(t *testing.T) workspace.Runtime
	// Sockets is a folder for the Hub, with a short path that workspaces can reach.
	Sockets string
	Log     *slog.Logger // nil discards
}

// Run runs the suite; open gives each part a Harness with nothing in it.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for name, part := range map[string]func(*testing.T, *Server){
		"StartsAndRunsCommands":          testStart,
		"StartingTwiceStartsOnce":        testStartTwice,
		"FilesOutliveStop":               testFiles,
		"AbsentIsNoError":                testAbsent,
		"OutlivesTheServer":              testRestart,
		"DeleteRemovesFiles":             testDelete,
		"WorkspacesAreApart":             testApart,
		"FailedEndpointStartsNothing":    testFailedEndpoint,
		"StopEndsProcessesThatRefuse":    testStubborn,
		"GentleStopOfTheAgentIsObserved": testGentleStop,
		"StandsBeside":                   testBeside,
		"BeginsBeforeItsImage":           testBegin,
		"CommandsSpeakForTheirWorkspace": testCommands,
		"ExportEnds":                     testExport,
		"RemovedFilesCount":              testRemovedFiles,
	} {
		t.Run(name, func(t *testing.T) { part(t, NewServer(t, open(t))) })
	}
}

// Server is as much of a server as a workspace needs.
type Server struct {
	Harness Harness
	Runtime workspace.Runtime
	Hub     *tunnel.Hub
	Handler http.Handler          // what workspaces reach; may be set before the first Start
	Change  func(*workspace.Spec) // says more of what is started; may be set before a Start
	log     *slog.Logger
	made    []identity.WorkspaceID
}

// NewServer opens the runtime and a Hub. At the end of the test all workspaces that it started are deleted.
func NewServer(t *testing.T, h Harness) *Server {
	t.Helper()
	s := &Server{Harness: h, log: h.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.open(t)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for _, id := range s.made {
			if err := s.Runtime.Delete(ctx, id); err != nil {
				t.Errorf("delete %s: %v", id, err)
			}
		}
		if err := s.Hub.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return s
}

func (s *Server) open(t *testing.T) {
	t.Helper()
	s.Runtime = s.Harness.Open(t)
	s.Hub = tunnel.NewHub(tunnel.HubConfig{
		Dir: s.Harness.Sockets,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s.Handler == nil {
				http.NotFound(w, r)
				return
			}
			s.Handler.ServeHTTP(w, r)
		}),
		Build: "test", Log: s.log,
	})
}

// Restart replaces runtime and Hub, as when the server is killed and started again.
func (s *Server) Restart(t *testing.T) {
	t.Helper()
	if err := s.Hub.Shutdown(Context(t)); err != nil {
		t.Fatal(err)
	}
	s.open(t)
}

// Context ends with the test, or when it takes far too long.
func Context(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// Spec describes a workspace whose socket is this server's.
func (s *Server) Spec(id identity.WorkspaceID) workspace.Spec {
	spec := workspace.Spec{ID: id, Name: "sample", Endpoint: func(ctx context.Context, uid int) (string, error) {
		return s.Hub.Listen(ctx, id, uid)
	}}
	if s.Change != nil {
		s.Change(&spec)
	}
	return spec
}

// Start starts a workspace and waits for its agent.
func (s *Server) Start(t *testing.T, id identity.WorkspaceID) {
	t.Helper()
	s.made = append(s.made, id)
	if err := s.Runtime.Start(Context(t), s.Spec(id), nil); err != nil {
		t.Fatalf("start: %v", err)
	}
	if err := s.Hub.Wait(Context(t), id); err != nil {
		t.Fatalf("the agent did not connect: %v", err)
	}
}

// Agent asks a workspace's agent.
func (s *Server) Agent(id identity.WorkspaceID) agentapi.Client {
	return agentapi.New(s.Hub.Client(id))
}

// Result is what a command did.
type Result struct {
	Code   int
	Output string // of both streams
}

// Exec runs a command in a workspace.
func (s *Server) Exec(t *testing.T, id identity.WorkspaceID, argv ...string) Result {
	t.Helper()
	var out bytes.Buffer
	code, err := s.Agent(id).Exec(Context(t), agentapi.ExecRequest{Argv: argv}, agentapi.Streams{Stdout: &out, Stderr: &out})
	if err != nil {
		t.Fatalf("exec %q: %v", argv, err)
	}
	return Result{code, out.String()}
}

// Shell runs a script that must succeed, and returns its output without the last line's end.
func (s *Server) Shell(t *testing.T, id identity.WorkspaceID, script string) string {
	t.Helper()
	r := s.Exec(t, id, "/bin/sh", "-c", script)
	if r.Code != 0 {
		t.Fatalf("%s\nended with %d: %s", script, r.Code, r.Output)
	}
	return strings.TrimSuffix(r.Output, "\n")
}

// observe returns what the runtime sees of id; false if nothing.
func (s *Server) observe(t *testing.T, id identity.WorkspaceID) (workspace.Observed, bool) {
	t.Helper()
	all, err := s.Runtime.List(Context(t))
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	for _, o := range all {
		if o.ID == id {
			return o, true
		}
	}
	return workspace.Observed{}, false
}

func (s *Server) wantRunning(t *testing.T, id identity.WorkspaceID, want bool) {
	t.Helper()
	if o, there := s.observe(t, id); !there || o.Running != want {
		t.Fatalf("listed %v, running %v; want running %v", there, o.Running, want)
	}
}

// eventually waits for a condition that comes about by itself.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

var errPlanned = errors.New("planned failure")

func unique(id identity.WorkspaceID) string { return fmt.Sprintf("content of %s", id) }
