package agentapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// The states of a task or a step.
const (
	TaskWaiting = "waiting" // for what comes before it
	TaskRunning = "running"
	TaskDone    = "done"
	TaskFailed  = "failed"
	TaskStopped = "stopped" // by a person
	TaskSkipped = "skipped" // it runs once for a checkout and has run, or what came before it failed
)

// What a workspace says of its tasks, ports and terminals is bounded like all it says.
const (
	maxStates  = 256
	maxWork    = 512 << 10
	maxTaskLog = 2 << 20
	maxTitle   = 200
)

// Tasks are the tasks and the steps of the workspace's life, in their order. Those of earlier starts are not among them.
func (c Client) Tasks(ctx context.Context) ([]TaskState, error) {
	var list []TaskState
	if err := c.get(ctx, "/v1/tasks", &list); err != nil {
		return nil, err
	}
	return boundTasks(list), nil
}

// TaskLog opens what a task has written in this start, at least the last 256 KiB of it, as its terminal would show it.
// The caller closes it.
func (c Client) TaskLog(ctx context.Context, id string) (io.ReadCloser, error) {
	resp, err := c.do(ctx, http.MethodGet, "/v1/tasks/"+url.PathEscape(id)+"/log", nil)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxTaskLog), resp.Body}, nil
}

// StopTask ends the processes of a task. One that has ended is no error.
func (c Client) StopTask(ctx context.Context, id string) error {
	return c.post(ctx, "/v1/tasks/"+url.PathEscape(id)+"/stop")
}

// boundTasks shortens what the server would keep or show.
func boundTasks(list []TaskState) []TaskState {
	list = list[:min(len(list), maxStates)]
	for i := range list {
		t := &list[i]
		t.ID, t.Name = plain(cut(t.ID, maxTitle)), plain(cut(t.Name, maxTitle))
		t.State, t.Step, t.Terminal = plain(cut(t.State, maxTitle)), plain(cut(t.Step, maxTitle)), plain(cut(t.Terminal, maxTitle))
	}
	return list
}

func (c Client) get(ctx context.Context, path string, out any) error {
	resp, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxWork)).Decode(out); err != nil {
		return fmt.Errorf("workspace: %s: %w", path, err)
	}
	return nil
}

func (c Client) post(ctx context.Context, path string) error {
	resp, err := c.do(ctx, http.MethodPost, path, nil)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Now is what goes on in a workspace.
type Now struct {
	Ready     bool        `json:"ready"` // the last setup is done
	Tasks     []TaskState `json:"tasks"`
	Ports     []PortState `json:"ports"`
	Terminals []string    `json:"terminals"`
}

// Watch calls changed with what goes on, at once and whenever it is something else, until ctx ends or the connection does (an
// error).
func (c Client) Watch(ctx context.Context, changed func(Now)) error {
	resp, err := c.do(ctx, http.MethodGet, "/v1/watch", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	d := bufio.NewScanner(resp.Body)
	d.Buffer(nil, maxWork)
	for d.Scan() {
		var n Now
		if err := json.Unmarshal(d.Bytes(), &n); err != nil {
			return fmt.Errorf("watch the workspace: %w", err)
		}
		n.Tasks, n.Ports = boundTasks(n.Tasks), boundPorts(n.Ports)
		n.Terminals = n.Terminals[:min(len(n.Terminals), maxStates)]
		for i := range n.Terminals {
			n.Terminals[i] = plain(cut(n.Terminals[i], maxTitle))
		}
		changed(n)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err = d.Err()
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return problem.Wrap(err, problem.Unavailable, "The connection to the workspace broke.")
}
