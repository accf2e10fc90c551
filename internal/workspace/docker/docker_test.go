package docker_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/docker"
	"github.com/lanyardhq/lanyard/internal/workspace/runtimetest"
	"github.com/lanyardhq/lanyard/test/harness"
)

// built are the programs that tests run inside, made once by TestMain.
var built struct{ agent, probe string }

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "dockerbin")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	defer harness.EndDocker()
	built.agent, built.probe = filepath.Join(dir, "lanyard-agent"), filepath.Join(dir, "probe")
	for out, pkg := range map[string]string{built.agent: "../../../cmd/lanyard-agent", built.probe: "../sandbox/testdata/probe"} {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n", pkg, err)
			return 1
		}
	}
	code := m.Run()
	harness.EndDocker()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// open returns a runtime on a data folder; the engine is the one that all tests share.
func open(t *testing.T, data string) *docker.Runtime {
	t.Helper()
	e := harness.Docker(t)
	r, err := docker.New(docker.Config{Data: data, AgentPath: built.agent, Socket: e.Socket, Image: e.Image, Transport: http.DefaultTransport, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// dataFolder is a data folder with a short path: sockets lie below it.
func dataFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func suite(t *testing.T) runtimetest.Harness {
	t.Helper()
	data := dataFolder(t)
	return runtimetest.Harness{
		Open:    func(t *testing.T) workspace.Runtime { return open(t, data) },
		Sockets: filepath.Join(data, "run"),
	}
}

func TestConformance(t *testing.T) { runtimetest.Run(t, suite) }
