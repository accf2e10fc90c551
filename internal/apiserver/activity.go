package apiserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// activityEndpoints are the API's part about what goes on in a running workspace, as its agent says it. Who may list a
// workspace sees names and states; what tasks write is for who may open it.
func (s *server) activityEndpoints() []endpoint {
	get := http.MethodGet
	return []endpoint{
		{method: get, path: "/workspaces/{id}/tasks", access: web.Needs(identity.WorkspaceList), on: s.workspaceIn, serve: s.tasks,
			says: "The tasks of the repository's file and the steps of a devcontainer's life, in this start of a running workspace", query: paged(), out: api.Page[api.Task]{}},
		{method: get, path: "/workspaces/{id}/tasks/{task}/log", access: web.Needs(identity.WorkspaceOpen), on: s.workspaceIn, serve: s.taskLog,
			says: "What a task has written in this start, at least the last 256 KiB, as a terminal would show it", media: "text/plain"},
		{method: get, path: "/workspaces/{id}/ports", access: web.Needs(identity.WorkspaceList), on: s.workspaceIn, serve: s.ports,
			says: "The ports of a running workspace: those on which something listens, and those of the repository's file", query: paged(), out: api.Page[api.Port]{}},
		{method: get, path: "/workspaces/{id}/figures", access: web.Needs(identity.WorkspaceList), on: s.workspaceIn, serve: s.figures,
			says: "What a running workspace uses", out: api.Figures{}},
		{method: get, path: "/workspaces/{id}/activity/events", access: web.Asks(saysGoodbye),
			serve: s.streamed(s.onWorkspace(identity.WorkspaceList), s.activityEvents), media: eventStream, out: api.Activity{},
			says: "Tasks and ports as server-sent events named activity, at once and whenever they change"},
	}
}

// agent leads to the agent of the workspace of the address, which has to run.
func (s *server) agent(r *http.Request) (workspace.Workspace, agentapi.Client, error) {
	row, err := s.row(r)
	if err != nil {
		return row, agentapi.Client{}, err
	}
	if row.Phase == workspace.Stopped || row.Phase == workspace.Stopping || s.c.Agent == nil {
		return row, agentapi.Client{}, problem.New(problem.Conflict, "%s does not run; start it to see its tasks and ports.", row.ID)
	}
	return row, s.c.Agent(row.ID), nil
}

// agentWithin bounds how long an agent has to answer.
const agentWithin = 10 * time.Second

func (s *server) tasks(w http.ResponseWriter, r *http.Request) error {
	row, agent, err := s.agent(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), agentWithin)
	defer cancel()
	states, err := agent.Tasks(ctx)
	if err != nil {
		return silent(err)
	}
	list := s.tasksOf(r, row, states)
	page, err := pageOf(r, list, func(t api.Task) string { return fmt.Sprintf("%06d", slices.Index(list, t)) })
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, page)
}

// tasksOf puts them on the wire, with the addresses of terminals for who may open them.
func (s *server) tasksOf(r *http.Request, row workspace.Workspace, states []agentapi.TaskState) []api.Task {
	terminal := ""
	if s.may(r, identity.WorkspaceOpen, workspaceResource(row)) {
		terminal = s.c.Terminal(row.ID)
	}
	list := make([]api.Task, 0, len(states))
	for _, t := range states {
		wire := api.Task{ID: t.ID, Name: t.Name, State: t.State, Step: t.Step, Exit: t.Exit}
		if terminal != "" && agentapi.ValidName(t.Terminal) {
			wire.Terminal = terminal + "/?terminal=" + t.Terminal
		}
		list = append(list, wire)
	}
	return list
}

// portsOf puts them on the wire, without those that the repository's file does not want listed.
func portsOf(states []agentapi.PortState) []api.Port {
	list := make([]api.Port, 0, len(states))
	for _, p := range states {
		if p.OnOpen == agentapi.PortUnlisted {
			continue
		}
		list = append(list, api.Port{
			Port: p.Port, Listening: p.Listening, Loopback: p.Loopback, Name: p.Name, OnOpen: p.OnOpen, Protocol: p.Protocol, Description: p.Text,
		})
	}
	return list
}

func (s *server) taskLog(w http.ResponseWriter, r *http.Request) error {
	row, agent, err := s.agent(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), agentWithin)
	defer cancel()
	states, err := agent.Tasks(ctx)
	if err != nil {
		return silent(err)
	}
	asked := r.PathValue("task")
	i := slices.IndexFunc(states, func(t agentapi.TaskState) bool { return t.ID == asked || t.Name == asked })
	if i < 0 {
		return problem.New(problem.NotFound, "%s has no task %q; `lanyard logs %s --tasks` lists those that it has.", row.ID, asked, row.ID)
	}
	log, err := agent.TaskLog(ctx, states[i].ID)
	if err != nil {
		return silent(err)
	}
	defer log.Close()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	_, err = io.Copy(w, log)
	return err
}

func (s *server) ports(w http.ResponseWriter, r *http.Request) error {
	_, agent, err := s.agent(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), agentWithin)
	defer cancel()
	states, err := agent.Ports(ctx)
	if err != nil {
		return silent(err)
	}
	page, err := pageOf(r, portsOf(states), func(p api.Port) string { return fmt.Sprintf("%05d", p.Port) })
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, page)
}

func (s *server) figures(w http.ResponseWriter, r *http.Request) error {
	_, agent, err := s.agent(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), agentWithin)
	defer cancel()
	f, err := agent.Figures(ctx)
	if err != nil {
		return silent(err)
	}
	return answer(w, http.StatusOK, api.Figures{
		CPUSeconds: f.CPU.Seconds(), CPULimit: f.CPULimit, Memory: f.Memory, MemoryLimit: f.MemoryLimit,
		Disk: f.Disk, DiskFree: f.DiskFree, Processes: f.Processes,
	})
}

// silent is an agent that does not answer: it is being replaced, or hangs.
func silent(err error) error {
	if _, told := errors.AsType[*problem.Error](err); told {
		return err
	}
	return problem.Wrap(err, problem.Unavailable, "The workspace did not answer. Try again in a moment.")
}

// activityEvents tells what goes on until the reader goes, over stops and starts of the workspace.
func (s *server) activityEvents(ctx context.Context, r *http.Request, out stream) error {
	row, err := s.row(r)
	if err != nil {
		return err
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	now, stopped := make(chan agentapi.Now), make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go s.watch(ctx, row.ID, now, stopped)
	still := api.Activity{Tasks: []api.Task{}, Ports: []api.Port{}}
	if row.Phase == workspace.Stopped {
		if err := out.send("activity", still); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			err = out.beat()
		case n := <-now:
			err = out.send("activity", api.Activity{Running: true, Ready: n.Ready, Tasks: s.tasksOf(r, row, n.Tasks), Ports: portsOf(n.Ports)})
		case <-stopped:
			err = out.send("activity", still)
		case <-look.C:
			if _, there := s.c.Workspaces.Get(row.ID); !there {
				return nil // it was deleted
			}
		}
		if err != nil {
			return err
		}
	}
}

// watch gives what a workspace's agent says, and an end of its connection, until ctx ends.
func (s *server) watch(ctx context.Context, id identity.WorkspaceID, now chan<- agentapi.Now, stopped chan<- struct{}) {
	for ctx.Err() == nil {
		row, _ := s.c.Workspaces.Get(id)
		if s.c.Agent != nil && cmp.Or(row.Phase, workspace.Stopped) != workspace.Stopped {
			heard := false
			_ = s.c.Agent(id).Watch(ctx, func(n agentapi.Now) { // it is asked again: agents come and go
				heard = true
				select {
				case now <- n:
				case <-ctx.Done():
				}
			})
			if heard {
				select {
				case stopped <- struct{}{}:
				case <-ctx.Done():
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookAgain):
		}
	}
}
