package badinput

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/test/harness"
)

// dev runs `lanyard dev` that is expected to refuse, and returns what it said and its status.
func dev(t *testing.T, w *harness.World, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Wait)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.Program(), append([]string{"dev", "--json", "--runtime", "sandbox"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("dev %v went on:\n%s", args, out)
	}
	t.Logf("dev %v: %d %s", args, cmd.ProcessState.ExitCode(), strings.TrimSpace(string(out)))
	return string(out), cmd.ProcessState.ExitCode()
}

// TestSecondServer starts what is there already, and what cannot be; the one that runs is not disturbed.
func TestSecondServer(t *testing.T) {
	w := harness.Start(t)
	ws := w.Workspace("ada", payments)
	term := w.Terminal("ada", ws)
	out, status := dev(t, w, "--data", w.Data, "--listen", "127.0.0.1:0")
	if status != 1 {
		t.Errorf("a second server on the same data ended with %d", status)
	}
	hasWords(t, "the second server", out, "A Lanyard server runs on", "another data folder")
	other, err := os.MkdirTemp("", "ly-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(other) })
	out, status = dev(t, w, "--data", other, "--listen", strings.TrimPrefix(strings.Replace(w.Info.URL, "lanyard.localhost", "127.0.0.1", 1), "http://"))
	if status != 1 {
		t.Errorf("a server on a port that is taken ended with %d", status)
	}
	hasWords(t, "the server on a taken port", out, "Something listens on", "--listen")
	file := filepath.Join(other, "file")
	write(t, file, "not a folder")
	if out, status = dev(t, w, "--data", filepath.Join(file, "x"), "--listen", "127.0.0.1:0"); status != 1 {
		t.Errorf("data below a file ended with %d: %s", status, out)
	}
	hasWords(t, "data below a file", out, "data folder", file)
	deep := filepath.Join(other, strings.Repeat("d", 60), strings.Repeat("e", 60))
	if out, status = dev(t, w, "--data", deep, "--listen", "127.0.0.1:0"); status == 0 {
		t.Errorf("a path too long for sockets: %s", out)
	}
	hasWords(t, "a path too long for sockets", out, "shorter")

	select {
	case <-term.Ended():
		t.Error("the terminal of the first server ended")
	default:
	}
	w.SignIn("ada")
	w.Must("ada", ws, "git ls-remote -q origin HEAD && curl -sf http://127.0.0.1:7070/r/ledger/whoami")
	tenant := w.Tenant()
	tenant.Remove(tenant.Group("payments-engineers"), tenant.User("ada")) // and is still told of changes
	<-term.Ended()
}

// TestNoBubblewrap runs on a machine without bubblewrap: everything but workspaces works, and those say what is missing.
func TestNoBubblewrap(t *testing.T) {
	harness.Need(t, "git")
	bin, err := harness.Programs()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.MkdirTemp("", "ly-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(data) })
	if err := os.Chmod(data, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(data, "path")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(git, filepath.Join(path, "git")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "lanyard"), "dev", "--json", "--runtime", "sandbox", "--data", filepath.Join(data, "d"), "--listen", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "PATH="+path)
	var log harness.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	}()
	var info remote.DevInfo
	if err := json.NewDecoder(out).Decode(&info); err != nil {
		t.Fatalf("%v: %s", err, log.String())
	}
	u, err := info.User("ada")
	if err != nil {
		t.Fatal(err)
	}
	ada, err := info.SignIn(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	defer ada.Close()
	ws, err := ada.CreateWorkspace(t.Context(), api.Order{ContextURL: payments})
	if err == nil {
		ws, err = ada.Follow(t.Context(), ws.ID, func(api.Progress) {})
	}
	if err != nil || ws.Phase != "stopped" {
		t.Fatalf("the workspace is %s: %v", ws.Phase, err)
	}
	t.Log(ws.Message)
	hasWords(t, "the workspace", ws.Message, "bubblewrap is not installed", "apt-get install bubblewrap")
	hasWords(t, "the server's log", log.String(), "bubblewrap is not installed")
	if err := ada.DeleteWorkspace(t.Context(), ws.ID); err != nil {
		t.Errorf("delete what never ran: %v", err)
	}
}

// TestFullDisk fills the disk under a running server: changes are refused with words, what takes access away works all
// the same, and when there is room again nothing is missing.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a disk that is full takes root, to mount a small one")
	}
	w := harness.StartOn(t, func(folder string) {
		if err := syscall.Mount("lanyard-test", folder, "tmpfs", 0, "size=160m,mode=755"); err != nil {
			t.Skipf("a small disk cannot be mounted here: %v", err)
		}
		t.Cleanup(func() {
			// A sandbox that some other test is just making begins with a copy of all mounts, and keeps this one busy so long.
			err := syscall.Unmount(folder, 0)
			for tries := 0; errors.Is(err, syscall.EBUSY) && tries < 100; tries++ {
				time.Sleep(100 * time.Millisecond)
				err = syscall.Unmount(folder, 0)
			}
			if err != nil {
				t.Errorf("unmount the small disk: %v", err)
			}
		})
	})
	ws := w.Workspace("ada", payments)
	term := w.Terminal("ada", ws)
	grace := w.As("grace")
	full := filepath.Join(w.Data, "full")
	fill := func() {
		f, err := os.OpenFile(full, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return // no room for the file itself
		}
		defer f.Close()
		for size := 1 << 20; size > 0; size /= 2 {
			for block := bytes.Repeat([]byte{1}, size); ; {
				if n, err := f.Write(block); err != nil || n < size {
					break
				}
			}
		}
	}
	fill()
	var refusal error
	w.Eventually("a change is refused", func() bool {
		fill()
		var fresh api.Workspace
		if fresh, refusal = grace.CreateWorkspace(w.Context(), api.Order{ContextURL: payments}); refusal == nil {
			t.Logf("there was room for the record of %s still", fresh.ID)
		}
		return refusal != nil
	})
	t.Logf("a new workspace: %v", refusal)
	if remote.KindOf(refusal) != problem.Unavailable || !strings.Contains(refusal.Error(), "cannot be written") {
		t.Errorf("a new workspace is refused as %v: %v", remote.KindOf(refusal), refusal)
	}
	u, err := w.Info.User("barbara")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Info.SignIn(w.Context(), u); err == nil {
		t.Error("somebody signed in whose sign-in cannot be recorded")
	} else {
		t.Logf("a sign-in: %v", err)
	}
	if projects, err := grace.Projects(w.Context()); err != nil || len(projects) != 1 {
		t.Errorf("reading: %v %v", projects, err)
	}
	begun := time.Now()
	done, err := w.Operator.Revoke(w.Context(), api.Revoke{Kind: api.RevokeUser, ID: "ada"})
	if err != nil || done.Sessions == 0 {
		t.Errorf("revoke on a full disk: %+v %v", done, err)
	}
	<-term.Ended()
	code, _, at := term.End()
	t.Logf("MEASURED full disk: revoked, terminal closed %v after the command began (code %d): %s", at.Sub(begun), code, done.Message)
	if code != 4403 {
		t.Errorf("the terminal's close code is %d", code)
	}
	if done.Recorded {
		t.Log("there was room for the record of the revocation")
	} else {
		hasWords(t, "the revocation", done.Message, "not yet recorded")
	}
	if _, err := w.As("ada").Me(w.Context()); remote.KindOf(err) != problem.SignInNeeded {
		t.Errorf("ada after the revocation: %v", err)
	}

	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	w.Eventually("people can sign in again", func() bool {
		r, err := w.Info.SignIn(w.Context(), u)
		if err == nil {
			w.Is("barbara", r)
		}
		return err == nil
	})
	w.Eventually("the revocation is in the log", func() bool {
		page, err := w.Operator.Audit(w.Context(), api.AuditQuery{Limit: 5, Action: "lease:revoke"})
		return err == nil && len(page.Items) > 0
	})
	v, err := w.Operator.VerifyAudit(w.Context())
	if err != nil || !v.OK {
		t.Errorf("the audit log: %+v %v", v, err)
	}
	w.Stop()
	w.Run()
	if _, err := w.As("ada").Me(w.Context()); remote.KindOf(err) != problem.SignInNeeded {
		t.Errorf("ada after a restart: %v", err)
	}
	w.SignIn("ada")
	now, err := w.As("ada").StartWorkspace(w.Context(), ws.ID)
	if err == nil {
		now, err = w.As("ada").Follow(w.Context(), ws.ID, func(api.Progress) {})
	}
	if err != nil || now.Phase != "running" {
		t.Fatalf("ada's workspace is %s: %v", now.Phase, err)
	}
	w.Must("ada", ws, "git log --oneline -1")
}
