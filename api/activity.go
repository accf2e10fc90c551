package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Task is a task, or a step of a devcontainer's life, in the present start of a workspace.
type Task struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	State    string `json:"state" doc:"waiting, running, done, failed, stopped or skipped"`
	Step     string `json:"step,omitempty" doc:"Of a task: before, init or command; of a step: its stage"`
	Exit     int    `json:"exit" doc:"Exit status, once it is over"`
	Terminal string `json:"terminal,omitempty" doc:"Address of its terminal, for who may open it"`
}

// Port is a port on which something listens in a workspace, or of which the repository's file speaks.
type Port struct {
	Port        int    `json:"port"`
	Listening   bool   `json:"listening"`
	Loopback    bool   `json:"loopback,omitempty" doc:"It listens on loopback only"`
	Name        string `json:"name,omitempty"`
	OnOpen      string `json:"on_open,omitempty" doc:"What the file wishes when something listens there: notify, openBrowser, openPreview, silent or ignore"`
	Protocol    string `json:"protocol,omitempty"`
	Description string `json:"description,omitempty"`
}

// Activity is what goes on in a workspace.
type Activity struct {
	Running bool   `json:"running" doc:"The workspace runs; otherwise there are no tasks and no ports"`
	Ready   bool   `json:"ready" doc:"What it waits for at its start is over"`
	Tasks   []Task `json:"tasks"`
	Ports   []Port `json:"ports"`
}

// Figures are what a running workspace uses.
type Figures struct {
	CPUSeconds  float64 `json:"cpu_seconds" doc:"Processor time since its start"`
	CPULimit    float64 `json:"cpu_limit,omitempty" doc:"Processors"`
	Memory      int64   `json:"memory" doc:"Bytes"`
	MemoryLimit int64   `json:"memory_limit,omitempty"`
	Disk        int64   `json:"disk" doc:"Bytes of home and checkouts, counted once a minute"`
	DiskFree    int64   `json:"disk_free"`
	Processes   int     `json:"processes" doc:"Processes and threads"`
}

// Tasks lists the tasks and steps of a running workspace.
func (c *Client) Tasks(ctx context.Context, id string) ([]Task, error) {
	return list[Task](ctx, c, workspacePath(id, "/tasks"), nil)
}

// TaskLog writes to w what a task of a running workspace has written, as a terminal would show it.
func (c *Client) TaskLog(ctx context.Context, id, task string, w io.Writer) error {
	answer, err := c.send(ctx, http.MethodGet, workspacePath(id, "/tasks/"+url.PathEscape(task)+"/log"), nil, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(w, answer.Body); err != nil {
		return fmt.Errorf("read the log of %s: %w", task, err)
	}
	return nil
}

// Ports lists the ports of a running workspace.
func (c *Client) Ports(ctx context.Context, id string) ([]Port, error) {
	return list[Port](ctx, c, workspacePath(id, "/ports"), nil)
}

// Figures measures a running workspace.
func (c *Client) Figures(ctx context.Context, id string) (f Figures, err error) {
	return f, c.Do(ctx, http.MethodGet, workspacePath(id, "/figures"), nil, nil, &f)
}

// FollowActivity tells what goes on in a workspace, at once and whenever it changes, until ctx ends.
func (c *Client) FollowActivity(ctx context.Context, id string, changed func(Activity)) error {
	return c.follow(ctx, workspacePath(id, "/activity/events"), nil, func(name string, data []byte) error {
		if name != "activity" {
			return nil
		}
		var a Activity
		if err := decode(data, &a); err != nil {
			return err
		}
		changed(a)
		return nil
	})
}
