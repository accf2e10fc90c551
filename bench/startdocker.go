package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/test/harness"
)

// benchStartDocker measures starts with an engine of its own, beside the engine's own way to a prompt: make a container of the same
// image, without a network, start it, run a shell in it.
func benchStartDocker(ctx context.Context, _ *bench) error {
	const figure = "start.docker.p50"
	if _, err := exec.LookPath("dockerd"); err != nil || os.Geteuid() != 0 {
		skip(figure, "it takes dockerd, and root")
		return nil
	}
	program, err := built()
	if err != nil {
		skip(figure, err.Error())
		return nil
	}
	e, err := harness.StartEngine()
	if err != nil {
		skip(figure, err.Error())
		return nil
	}
	defer e.End()
	w, err := startDev(ctx, program, []string{"DOCKER_HOST=unix://" + e.Socket}, "--runtime", "docker", "--image", e.Image)
	if err != nil {
		return err
	}
	defer w.close()
	own := engine{&http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", e.Socket)
	}}}}
	return w.starts(ctx, "start.docker", "engine", func(ctx context.Context) (time.Duration, error) { return own.prompt(ctx, e.Image) })
}

// engine is a Docker engine, asked directly.
type engine struct{ http *http.Client }

// prompt makes a container, starts it, and waits for what a shell in it says first.
func (e engine) prompt(ctx context.Context, image string) (time.Duration, error) {
	begin := time.Now()
	var made, shell struct{ ID string }
	err := e.ask(ctx, http.MethodPost, "/containers/create", map[string]any{
		"Image": image, "Cmd": []string{"sleep", "600"}, "NetworkDisabled": true, "HostConfig": map[string]any{"NetworkMode": "none"},
	}, &made)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err := e.ask(ctx, http.MethodDelete, "/containers/"+made.ID+"?force=1&v=1", nil, nil); err != nil {
			tell("remove a container: %v", err)
		}
	}()
	if err := e.ask(ctx, http.MethodPost, "/containers/"+made.ID+"/start", nil, nil); err != nil {
		return 0, err
	}
	err = e.ask(ctx, http.MethodPost, "/containers/"+made.ID+"/exec", map[string]any{"AttachStdout": true, "Cmd": []string{"bash", "-c", "echo '$ '"}}, &shell)
	if err != nil {
		return 0, err
	}
	var said bytes.Buffer
	if err := e.ask(ctx, http.MethodPost, "/exec/"+shell.ID+"/start", map[string]any{"Detach": false}, &said); err != nil {
		return 0, err
	}
	if !strings.Contains(said.String(), "$ ") {
		return 0, fmt.Errorf("the shell said %q", said.String())
	}
	return time.Since(begin), nil
}

// ask sends an order; the answer is JSON, or copied where it goes to a buffer.
func (e engine) ask(ctx context.Context, method, path string, order, answer any) error {
	body, err := json.Marshal(order)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	got, err := e.http.Do(r)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	if got.StatusCode/100 != 2 {
		said, _ := io.ReadAll(io.LimitReader(got.Body, 4<<10)) // the status alone will do
		return fmt.Errorf("%s %s: %s: %s", method, path, got.Status, said)
	}
	switch to := answer.(type) {
	case nil:
		return nil
	case *bytes.Buffer:
		_, err = io.Copy(to, got.Body)
		return err
	}
	return json.NewDecoder(got.Body).Decode(answer)
}
