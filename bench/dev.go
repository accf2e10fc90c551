package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
)

// devWorld is `lanyard dev`, as its users start it, with one of them signed in.
type devWorld struct {
	cmd  *exec.Cmd
	data string
	info remote.DevInfo
	ada  *remote.Remote
}

// built is where `make build` puts the program.
func built() (string, error) {
	program, err := filepath.Abs("bin/lanyard")
	if err == nil {
		_, err = os.Stat(program)
	}
	if err != nil {
		return "", errors.New("bin/lanyard is not built; `make build` builds it")
	}
	return program, nil
}

// startDev runs the sample world, with more of environment and flags.
func startDev(ctx context.Context, program string, env []string, flags ...string) (_ *devWorld, err error) {
	w := &devWorld{}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.data, err = os.MkdirTemp("", "lyb-"); err != nil {
		return nil, err
	}
	if err := os.Chmod(w.data, 0o755); err != nil { // workspaces run as users of their own
		return nil, err
	}
	w.cmd = exec.Command(program, append([]string{"dev", "--json", "--runtime", "sandbox", "--data", w.data, "--listen", "127.0.0.1:0"}, flags...)...)
	w.cmd.Env = append(os.Environ(), env...)
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := w.cmd.Start(); err != nil {
		w.cmd = nil
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("lanyard dev does not start: %w", err)
	}
	if err := json.Unmarshal(line, &w.info); err != nil {
		return nil, err
	}
	ada, err := w.info.User("ada")
	if err != nil {
		return nil, err
	}
	w.ada, err = w.info.SignIn(ctx, ada)
	return w, err
}

func (w *devWorld) close() {
	if w.ada != nil {
		w.ada.Close()
		w.ada.Browser.Close()
	}
	if w.cmd != nil {
		_ = w.cmd.Process.Signal(os.Interrupt) // gone already is as good
		kill := time.AfterFunc(30*time.Second, func() { _ = w.cmd.Process.Kill() })
		_ = w.cmd.Wait()
		kill.Stop()
	}
	if w.data != "" {
		if err := os.RemoveAll(w.data); err != nil {
			tell("remove %s: %v", w.data, err)
		}
	}
}

// sampleURL is the repository that workspaces are made of where it does not matter.
const sampleURL = "https://git.example.test/payments/api"

// make makes a workspace of a repository, opens its terminal as the page does, waits for the prompt, and deletes the workspace. look is given
// what the start said, and when there was the prompt.
func (w *devWorld) make(ctx context.Context, url string, look func([]api.Progress, time.Time) error) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	click := time.Now()
	ws, err := w.create(ctx, url)
	if err != nil {
		return 0, err
	}
	if err := w.prompt(ctx, ws.Terminal); err != nil {
		return 0, err
	}
	took := time.Since(click)
	if err := w.look(ctx, ws.ID, click.Add(took), look); err != nil {
		return 0, errors.Join(err, w.delete(ctx, ws.ID))
	}
	return took, w.delete(ctx, ws.ID)
}

// look asks what a workspace's start said, and shows it to who wants it.
func (w *devWorld) look(ctx context.Context, id string, ended time.Time, look func([]api.Progress, time.Time) error) error {
	lines, err := w.ada.Logs(ctx, id)
	if err != nil {
		return err
	}
	return look(lines, ended)
}

// start makes a workspace and stops it; what counts is from starting it again to the prompt. look is as in make.
func (w *devWorld) start(ctx context.Context, look func([]api.Progress, time.Time) error) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	ws, err := w.create(ctx, sampleURL)
	if err != nil {
		return 0, err
	}
	if err := w.stop(ctx, ws.ID); err != nil {
		return 0, err
	}
	took, err := w.resume(ctx, ws.ID)
	if err != nil {
		return 0, err
	}
	if err := w.look(ctx, ws.ID, time.Now(), look); err != nil {
		return 0, err
	}
	return took, w.delete(ctx, ws.ID)
}

func (w *devWorld) stop(ctx context.Context, id string) error {
	if _, err := w.ada.StopWorkspace(ctx, id); err != nil {
		return err
	}
	_, err := w.reach(ctx, id, "stopped")
	return err
}

// resume starts a workspace that is stopped, and waits for the prompt of its terminal.
func (w *devWorld) resume(ctx context.Context, id string) (time.Duration, error) {
	click := time.Now()
	if _, err := w.ada.StartWorkspace(ctx, id); err != nil {
		return 0, err
	}
	ws, err := w.reach(ctx, id, "running")
	if err != nil {
		return 0, err
	}
	err = w.prompt(ctx, ws.Terminal)
	return time.Since(click), err
}

func (w *devWorld) create(ctx context.Context, url string) (api.Workspace, error) {
	ws, err := w.ada.CreateWorkspace(ctx, api.Order{ContextURL: url})
	if err != nil {
		return ws, err
	}
	return w.reach(ctx, ws.ID, "running")
}

// reach follows a workspace until it is as it is wanted.
func (w *devWorld) reach(ctx context.Context, id, phase string) (api.Workspace, error) {
	ws, err := w.ada.Follow(ctx, id, func(api.Progress) {})
	if err == nil && ws.Phase != phase {
		err = fmt.Errorf("the workspace is %s: %s", ws.Phase, ws.Message)
	}
	return ws, err
}

func (w *devWorld) prompt(ctx context.Context, address string) error {
	page, err := w.ada.Browser.Visit(ctx, address) // hands the session over to the terminal's site
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, page.Body)
	page.Body.Close()
	if err == nil && page.StatusCode != http.StatusOK {
		err = errors.New("the terminal's page answered " + page.Status)
	}
	if err != nil {
		return err
	}
	socket := "ws" + strings.TrimPrefix(strings.TrimSuffix(address, "/"), "http") + "/_lanyard/terminal?cols=80&rows=24"
	conn, _, err := w.ada.Browser.WebSocket(ctx, socket)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(2 << 20)
	var said []byte
	for !prompted(said) {
		kind, frame, err := conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("no prompt after %q: %w", said, err)
		}
		if kind == websocket.MessageBinary {
			said = append(said, frame...)
		}
	}
	return nil
}

func prompted(said []byte) bool {
	return bytes.Contains(said, []byte("$ ")) || bytes.Contains(said, []byte("# "))
}

func (w *devWorld) delete(ctx context.Context, id string) error {
	if err := w.ada.ForceDeleteWorkspace(ctx, id); err != nil {
		return err
	}
	for {
		if _, err := w.ada.Workspace(ctx, id); err != nil {
			if gone, ok := errors.AsType[*api.Error](err); ok && gone.Status == http.StatusNotFound {
				return nil
			}
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
