package docker

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	engineimage "github.com/docker/docker/api/types/image"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/test/harness"
)

// onEngine is a runtime with a data folder of its own.
func onEngine(t *testing.T) *Runtime {
	t.Helper()
	e := harness.Docker(t)
	data, err := os.MkdirTemp("", "dk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(data) })
	r, err := New(Config{Data: data, Socket: e.Socket, Transport: http.DefaultTransport, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	r.shared = &shared{server: "test", agent: data} // nothing is started here
	return r
}

// buildOf orders what a Dockerfile says. The context has the file alone.
func buildOf(t *testing.T, key, text string) workspace.BuildOrder {
	t.Helper()
	return workspace.BuildOrder{
		Key: key, Dockerfile: "file", ID: identity.NewWorkspaceID(),
		Context: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(oneFile(t, text))), nil
		},
		Endpoint: func(context.Context, int) (string, error) {
			dir := t.TempDir()
			return dir, os.Chmod(dir, 0o755)
		},
	}
}

// An image brings instructions along that nobody has read, in a Dockerfile that names it.
func TestAttack21TriggersOfABase(t *testing.T) {
	r := onEngine(t)
	imported(t.Context(), t, r, "lanyard-test/trigger:1", "ONBUILD RUN true")
	defer func() {
		_, _ = r.engine.ImageRemove(t.Context(), "lanyard-test/trigger:1", engineimage.RemoveOptions{})
	}()
	_, err := r.Build(t.Context(), buildOf(t, t.Name(), "FROM lanyard-test/trigger:1\n"), nil)
	if err == nil || !strings.Contains(problem.Message(err), "file:1: the image lanyard-test/trigger:1 has ONBUILD instructions") {
		t.Errorf("%v", err)
	}
}
