package docker

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/lanyardhq/lanyard/test/harness"
)

// KeepsSnapshots tells tests of which kind the engine is.
func (r *Runtime) KeepsSnapshots(t *testing.T) bool {
	t.Helper()
	m, err := r.machineOf(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m.snapshots
}

// What a container writes is found by the mount of its root, whichever store the engine keeps.
func TestOwnLayer(t *testing.T) {
	r := onEngine(t)
	made, err := r.engine.ContainerCreate(t.Context(), &container.Config{Image: harness.Docker(t).Image, Cmd: []string{"sh", "-c", "echo written > /here; exec sleep 600"}},
		&container.HostConfig{NetworkMode: "none"}, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.engine.ContainerRemove(context.WithoutCancel(t.Context()), made.ID, container.RemoveOptions{Force: true})
	})
	if err := r.engine.ContainerStart(t.Context(), made.ID, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	what, err := r.engine.ContainerInspect(t.Context(), made.ID)
	if err != nil {
		t.Fatal(err)
	}
	own := ownLayer(what.State.Pid)
	if named := what.GraphDriver.Data["UpperDir"]; own == "" || named != "" && own != named {
		t.Errorf("%q, and the engine says %q", own, named)
	}
	for end := time.Now().Add(harness.Wait); ; time.Sleep(20 * time.Millisecond) {
		b, err := os.ReadFile(filepath.Join(own, "here"))
		if string(b) == "written\n" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%q: %q %v", own, b, err)
		}
	}
	if got := ownLayer(os.Getpid()); got == own {
		t.Errorf("the same of another process: %q", got)
	}
}
