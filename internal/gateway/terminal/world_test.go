package terminal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/agent"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/tunnel"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// The agent reaps every child of its process, so it runs in a process of its own: this test binary.
const (
	envRoot   = "LANYARD_TEST_AGENT_ROOT"
	envSocket = "LANYARD_TEST_AGENT_SOCKET"
)

func TestMain(m *testing.M) {
	if root := os.Getenv(envRoot); root != "" {
		err := agent.Run(context.Background(), agent.Config{
			Socket: os.Getenv(envSocket), Listen: "127.0.0.1:0", Build: "test",
			Home: filepath.Join(root, "home"), Workspace: filepath.Join(root, "workspace"),
			Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// scene is Ada's workspace, with a real agent, and its site.
type scene struct {
	*gatewaytest.World
	ws   workspace.Workspace
	hub  *tunnel.Hub
	gate *Gate
}

// Get implements Workspaces.
func (s *scene) Get(id identity.WorkspaceID) (workspace.Workspace, bool) { return s.ws, id == s.ws.ID }

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{World: gatewaytest.New(t, "")}
	ada := s.Workspace(gatewaytest.Ada)
	s.ws = workspace.Workspace{ID: ada.Workspace, Owner: ada.User, Project: ada.Project}
	sockets, err := os.MkdirTemp("", "trm") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	root := t.TempDir()
	for _, dir := range []string{"home", "workspace"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.hub = tunnel.NewHub(tunnel.HubConfig{Dir: sockets, Handler: http.NotFoundHandler(), Log: s.Log})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	dir, err := s.hub.Listen(ctx, s.ws.ID, os.Getuid())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envRoot+"="+root, envSocket+"="+filepath.Join(dir, tunnel.SocketName))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = agentapi.New(s.hub.Client(s.ws.ID)).Stop(ctx)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if err := s.hub.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	if err := s.hub.Wait(ctx, s.ws.ID); err != nil {
		t.Fatal(err)
	}
	s.gate = New(Config{
		Access: s.Engine, Hub: s.hub, Workspaces: s, Domain: "localhost", Scheme: "http", Log: s.Log,
		Page: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the page") }),
	})
	return s
}

func (s *scene) serve(t *testing.T, person string) *httptest.Server {
	routes := append(s.gate.Routes(), web.Route{
		Path: "/exec", Access: web.Asks("workspace:open"),
		Serve: func(w http.ResponseWriter, r *http.Request) error { return s.gate.Exec(w, r, s.ws) },
	})
	return s.Serve(t, s.Browser(person), routes...)
}

// host is that of the workspace's terminal.
func (s *scene) host() string { return "t-" + s.ws.ID.Label() + ".localhost:8080" }

// dial opens the terminal as a page of an origin would; "" is the terminal's own.
func (s *scene) dial(t *testing.T, server *httptest.Server, origin string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	if origin == "" {
		origin = "http://" + s.host()
	}
	conn, resp, err := websocket.Dial(timeout(t), server.URL+SocketPath+"?cols=100&rows=30", &websocket.DialOptions{
		Host: s.host(), HTTPHeader: http.Header{"Origin": {origin}},
	})
	if err == nil {
		t.Cleanup(func() { conn.CloseNow() })
		conn.SetReadLimit(maxFrame)
	}
	return conn, resp, err
}

func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// until reads a terminal until it has shown a text, and returns all that it showed.
func until(t *testing.T, conn *websocket.Conn, text string) string {
	t.Helper()
	var all strings.Builder
	for !strings.Contains(all.String(), text) {
		_, frame, err := conn.Read(timeout(t))
		if err != nil {
			t.Fatalf("%v; the terminal showed %q", err, all.String())
		}
		all.Write(frame)
	}
	return all.String()
}

// rest reads until the connection is closed, and returns what came and the close frame.
func rest(t *testing.T, conn *websocket.Conn) (string, websocket.CloseError) {
	t.Helper()
	var all strings.Builder
	for {
		_, frame, err := conn.Read(timeout(t))
		var closed websocket.CloseError
		if errors.As(err, &closed) {
			return all.String(), closed
		}
		if err != nil {
			t.Fatalf("no close frame: %v; before it came %q", err, all.String())
		}
		all.Write(frame)
	}
}
