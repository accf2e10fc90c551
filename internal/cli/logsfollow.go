package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
)

// happening is a line of what goes on in a workspace: of its start or stop, or of a task or a port that changed.
type happening struct {
	At    time.Time `json:"at"`
	Phase string    `json:"phase,omitempty"`
	Text  string    `json:"text"`
	Task  *api.Task `json:"task,omitempty"`
	Port  *api.Port `json:"port,omitempty"`
}

// followLogs shows the lines of the present start or stop, then what its tasks do and which ports open and close, until the
// workspace stops or ctx ends, which is no failure.
func (a *app) followLogs(ctx context.Context, r *remote.Remote, id string, asJSON bool) error {
	var last time.Time // of the lines that were shown
	show := func(h happening) {
		if asJSON {
			_ = a.out.json(h) // a reader that has gone ends the program by SIGPIPE
			return
		}
		a.out.line("%s  %-12s  %s", h.At.Local().Format("15:04:05.000"), h.Phase, h.Text)
	}
	line := func(p api.Progress) {
		if p.At.After(last) || last.IsZero() {
			last = p.At
			show(happening{At: p.At, Phase: p.Phase, Text: p.Text})
		}
	}
	w, err := r.Follow(ctx, id, line)
	if err != nil || w.Phase != "running" {
		return unlessEnded(ctx, err)
	}
	watch, stop := context.WithCancel(ctx)
	defer stop()
	var before api.Activity
	err = r.FollowActivity(watch, id, func(now api.Activity) {
		for _, h := range changes(before, now) {
			h.At = a.c.Now()
			show(h)
		}
		before = now
		if w, err := r.Workspace(watch, id); !now.Running && err == nil && w.Phase != "running" {
			stop()
		}
	})
	if watch.Err() == nil {
		return err
	}
	if ctx.Err() == nil {
		_, err = r.Follow(ctx, id, line) // which begins with what was shown
		return unlessEnded(ctx, err)
	}
	return nil
}

func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// changes are what became different in a workspace's tasks and ports. What an agent that is away knows is not known to have
// ended.
func changes(before, now api.Activity) (all []happening) {
	if !now.Running {
		return nil
	}
	tasks := map[string]api.Task{}
	for _, t := range before.Tasks {
		tasks[t.ID] = t
	}
	for _, t := range now.Tasks {
		was, known := tasks[t.ID]
		if known && was.State == t.State && was.Step == t.Step {
			continue
		}
		text := fmt.Sprintf("task %s: %s", t.Name, t.State)
		switch t.State {
		case "running":
			if t.Step != "" {
				text += ", " + t.Step
			}
		case "failed":
			text += fmt.Sprintf(", exit status %d", t.Exit)
		}
		all = append(all, happening{Text: text, Task: &t})
	}
	ports := map[int]api.Port{}
	for _, p := range before.Ports {
		ports[p.Port] = p
	}
	for _, p := range now.Ports {
		if p.Listening != ports[p.Port].Listening {
			all = append(all, portChanged(p))
		}
		delete(ports, p.Port)
	}
	for _, p := range before.Ports { // and those that are not listed any more
		if gone, ok := ports[p.Port]; ok && gone.Listening {
			gone.Listening = false
			all = append(all, portChanged(gone))
		}
	}
	return all
}

func portChanged(p api.Port) happening {
	text := fmt.Sprintf("port %d", p.Port)
	if p.Name != "" {
		text += " (" + p.Name + ")"
	}
	if p.Listening {
		return happening{Text: text + ": open", Port: &p}
	}
	return happening{Text: text + ": closed", Port: &p}
}
