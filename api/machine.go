package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Machine is what a workspace has of its machine, and how long it goes on.
type Machine struct {
	Class    string  `json:"class,omitempty" doc:"The size that it has"`
	Limits   *Limits `json:"limits,omitempty" doc:"The bounds of its class"`
	Image    string  `json:"image,omitempty" doc:"What it runs, or ran last, pinned to a digest"`
	Prebuild string  `json:"prebuild,omitempty" doc:"The prebuild that its checkout began with"`
	Plan     string  `json:"plan,omitempty" doc:"Path of the file of the repository that says what it needs"`
	Context  string  `json:"context,omitempty" doc:"The context URL that it was started from"`
	Warm     bool    `json:"warm,omitempty" doc:"It was made ahead, and its first start was given it"`
	Cold     string  `json:"cold,omitempty" doc:"Why its first start was not given one that was made ahead, where its project has some"`

	Used    time.Time `json:"used,omitzero" doc:"When it was last in use"`
	Began   time.Time `json:"began,omitzero" doc:"When it started to run"`
	Timeout int64     `json:"timeout,omitempty" doc:"Seconds without use until it stops; 0: it does not by itself"`
	Stops   time.Time `json:"stops,omitzero" doc:"When it stops unless it is used"`
	Last    time.Time `json:"last,omitzero" doc:"When it stops in any case"`
	Notice  string    `json:"notice,omitempty" doc:"Says that it stops soon, and why"`

	Pinned   bool      `json:"pinned,omitempty" doc:"It is kept however old it is"`
	Archived time.Time `json:"archived,omitzero" doc:"Since when it is archived for its age"`
	Goes     time.Time `json:"goes,omitzero" doc:"When it is deleted for its age unless it is used"`

	Queue      *Queue   `json:"queue,omitempty" doc:"Where it waits for room on its machine"`
	Unsaved    *Unsaved `json:"unsaved,omitempty" doc:"What its checkouts held when it last stopped and no remote had"`
	FailedStep string   `json:"failed_step,omitempty" doc:"The step at which its last start failed"`
}

// Limits are bounds; 0 is none.
type Limits struct {
	CPUs      float64 `json:"cpus,omitempty"`
	Memory    int64   `json:"memory,omitempty" doc:"Bytes"`
	Disk      int64   `json:"disk,omitempty" doc:"Bytes of home and checkouts together"`
	Processes int64   `json:"processes,omitempty"`
}

// Queue is a place among those that wait.
type Queue struct {
	At int `json:"at"`
	Of int `json:"of"`
}

// Unsaved is what would be lost with a workspace's files.
type Unsaved struct {
	Changed   int               `json:"changed" doc:"Files that are not committed"`
	Unpushed  int               `json:"unpushed" doc:"Commits that no remote is known to have"`
	Stashes   int               `json:"stashes"`
	Seen      time.Time         `json:"seen" doc:"When that was looked at"`
	Checkouts []UnsavedCheckout `json:"checkouts,omitempty" doc:"By checkout, for the owner of a workspace that runs"`
}

// UnsavedCheckout is what would be lost with one checkout; the lists may be cut.
type UnsavedCheckout struct {
	Folder   string   `json:"folder"`
	Branch   string   `json:"branch,omitempty"`
	Files    []string `json:"files,omitempty" doc:"As git status names them"`
	Changed  int      `json:"changed"`
	Commits  []string `json:"commits,omitempty"`
	Unpushed int      `json:"unpushed"`
	Stashes  int      `json:"stashes"`
}

// WorkspaceChange changes how a workspace is kept; what is absent stays.
type WorkspaceChange struct {
	Pinned  *bool   `json:"pinned,omitempty" doc:"Keep it however old it is"`
	Timeout *string `json:"timeout,omitempty" doc:"How long it runs without use, such as 90m; empty: as its project says"`
	Class   *string `json:"class,omitempty" doc:"The class that it has from its next start on; empty: as its project says"`
	Extend  bool    `json:"extend,omitempty" doc:"Let its timeout begin anew"`
}

// Class is a size of workspace.
type Class struct {
	Name    string `json:"name"`
	Title   string `json:"title,omitempty"`
	Default bool   `json:"default,omitempty" doc:"Workspaces are of it that ask for none"`
	Limits
}

// Unsaved asks what would be lost with a workspace's files. A stopped one answers what it held when it stopped.
func (c *Client) Unsaved(ctx context.Context, id string) (u Unsaved, err error) {
	return u, c.Do(ctx, http.MethodGet, workspacePath(id, "/unsaved"), nil, nil, &u)
}

// ChangeWorkspace changes how a workspace is kept.
func (c *Client) ChangeWorkspace(ctx context.Context, id string, change WorkspaceChange) (w Workspace, err error) {
	return w, c.Do(ctx, http.MethodPatch, workspacePath(id, ""), nil, change, &w)
}

// ForceDeleteWorkspace deletes a workspace with its files, also with what is in them alone.
func (c *Client) ForceDeleteWorkspace(ctx context.Context, id string) error {
	return c.Do(ctx, http.MethodDelete, workspacePath(id, ""), map[string][]string{"force": {"true"}}, nil, nil)
}

// ExportWorkspace writes the checkouts of a workspace to w, as a tar archive. It takes the role admin, and an owner whose
// account is disabled or gone.
func (c *Client) ExportWorkspace(ctx context.Context, id string, w io.Writer) error {
	answer, err := c.send(ctx, http.MethodGet, workspacePath(id, "/export"), nil, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(w, answer.Body); err != nil {
		return fmt.Errorf("read the files of %s: %w", id, err)
	}
	return nil
}

// Classes lists the classes that workspaces of a project may be of.
func (c *Client) Classes(ctx context.Context, project string) ([]Class, error) {
	return list[Class](ctx, c, "/classes", map[string][]string{"project": {project}})
}
