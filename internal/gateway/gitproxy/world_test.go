package gitproxy

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lanyardhq/lanyard/internal/dev/gitserver"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/web"
)

// scene is a repository server behind a gateway, and a place for clones.
type scene struct {
	*gatewaytest.World
	upstream *gitserver.Server
	handler  *Proxy
	root     string                       // the upstream's repositories
	log      string                       // the upstream's log
	secret   string                       // file with the password that the upstream wants
	wrapped  atomic.Pointer[http.Handler] // what the upstream is behind, while a test has put it there
}

const password = "correct horse battery staple"

func newScene(t testing.TB) *scene {
	t.Helper()
	return newSceneWith(t, "")
}

// newSceneWith is a scene in which the repository payments/api has more keys in the project's file.
func newSceneWith(t testing.TB, keys string) *scene {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	s := &scene{root: filepath.Join(dir, "repositories"), log: filepath.Join(dir, "log"), secret: filepath.Join(dir, "password")}
	if err := os.WriteFile(s.secret, []byte("lanyard:"+password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.World = gatewaytest.New(t, "repositories:\n"+
		"  - url: https://git.example.test/payments/api\n    credential: {basic_file: "+s.secret+"}\n"+keys+
		"  - url: https://git.example.test/payments/large\n    credential: {basic_file: "+s.secret+"}\n")
	server, err := gitserver.New(gitserver.Config{
		Root: s.root, Hooks: filepath.Join(dir, "hooks"), LogFile: s.log,
		Accept: gitserver.Password{User: "lanyard", Secret: password}, Log: s.Log,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.upstream = server
	if err := gitserver.Seed(t.Context(), s.root, gitserver.Samples()...); err != nil {
		t.Fatal(err)
	}
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := s.wrapped.Load(); h != nil {
			(*h).ServeHTTP(w, r)
			return
		}
		server.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { behind.CloseClientConnections(); behind.Close() })
	up := upstream.New(upstream.Config{
		Names: map[string]upstream.Address{"git.example.test": upstream.Address(behind.Listener.Addr().String())}, Log: s.Log,
	})
	t.Cleanup(up.Close)
	s.handler = New(Config{Access: s.Engine, Facts: s.Engine.Facts, Upstream: up, Log: s.Log})
	return s
}

// wrap puts something before the upstream.
func (s *scene) wrap(by func(http.Handler) http.Handler) {
	h := by(s.upstream)
	s.wrapped.Store(&h)
}

// serve returns the address under which a person's workspace reaches the gateway.
func (s *scene) serve(t testing.TB, person string) string {
	return s.Serve(t, s.Workspace(person), s.routes()...).URL + "/git/git.example.test"
}

func (s *scene) routes() []web.Route {
	return gateway.Routes(gateway.Protocols{
		Git: s.handler.Serve,
		App: func(http.ResponseWriter, *http.Request) error { return errors.New("no app here") },
	})
}

// client runs git as a developer would.
type client struct {
	t   testing.TB
	dir string
	env []string
}

func newClient(t testing.TB) *client {
	dir := t.TempDir()
	return &client{t: t, dir: dir, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Ada Lovelace", "GIT_AUTHOR_EMAIL=ada@contoso.example",
		"GIT_COMMITTER_NAME=Ada Lovelace", "GIT_COMMITTER_EMAIL=ada@contoso.example",
	}}
}

// command prepares git; what it prints goes to out.
func (c *client) command(ctx context.Context, out *bytes.Buffer, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	cmd.Stdout, cmd.Stderr = out, out
	return cmd
}

// try runs git and returns what it printed.
func (c *client) try(args ...string) (string, error) {
	var out bytes.Buffer
	err := c.command(c.t.Context(), &out, args...).Run()
	return out.String(), err
}

// must runs git and fails the test when git fails.
func (c *client) must(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

func (c *client) write(name string, content []byte) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), content, 0o600); err != nil {
		c.t.Fatal(err)
	}
}
