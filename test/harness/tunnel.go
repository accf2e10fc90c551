package harness

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/tunnel"
)

// label is the workspace's name in paths.
func (w *World) label(ws api.Workspace) string { return identity.WorkspaceID(ws.ID).Label() }

// Files is where the machine keeps what the workspace sees as /workspace.
func (w *World) Files(ws api.Workspace) string {
	return filepath.Join(w.Data, "server", "sandbox", "w", w.label(ws), "files")
}

// process is the host user of a workspace, and its process 1.
func (w *World) process(ws api.Workspace) (uid, pid int) {
	w.T.Helper()
	var state struct {
		UID     int `json:"uid"`
		Process *struct {
			PID int `json:"pid"`
		} `json:"process"`
	}
	b, err := os.ReadFile(filepath.Join(w.Data, "server", "sandbox", "w", w.label(ws), "state.json"))
	if err == nil {
		err = json.Unmarshal(b, &state)
	}
	if err != nil || state.Process == nil {
		w.T.Fatalf("the sandbox of %s: %v", ws.ID, err)
	}
	return state.UID, state.Process.PID
}

// Tunnel opens a tunnel of the test's own in the workspace's place. The workspace has one tunnel, so its agent, which
// would come back, is frozen, until the workspace is stopped.
func (w *World) Tunnel(ws api.Workspace) *tunnel.Conn {
	w.T.Helper()
	uid, pid := w.process(ws)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		w.T.Fatalf("freeze the agent of %s: %v", ws.ID, err)
	}
	var conn *tunnel.Conn
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		if failed = becomeUser(uid); failed == nil {
			conn, failed = tunnel.Dial(w.Context(), tunnel.Peer{
				Socket: filepath.Join(w.Data, "server", "s", w.label(ws), tunnel.SocketName), Build: "test", Start: strings.Repeat("t", 26),
			})
		}
	}()
	<-done
	if failed != nil {
		w.T.Fatalf("a tunnel in the place of %s: %v", ws.ID, failed)
	}
	w.T.Cleanup(func() { conn.Close() })
	return conn
}

// becomeUser makes this thread, and no other, the user's: what the kernel says of who connects (SO_PEERCRED) goes by
// the thread. The goroutine keeps its thread, which ends with it.
func becomeUser(uid int) error {
	if uid == os.Geteuid() {
		return nil
	}
	runtime.LockOSThread()
	const same = ^uintptr(0)
	for _, set := range []uintptr{syscall.SYS_SETRESGID, syscall.SYS_SETRESUID} {
		if _, _, errno := syscall.RawSyscall(set, same, uintptr(uid), same); errno != 0 {
			return errno
		}
	}
	return nil
}
