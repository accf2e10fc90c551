package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// Watch implements workspace.Watcher by the engine's events. Images that nobody uses any more go meanwhile.
func (r *Runtime) Watch(ctx context.Context, changed func(identity.WorkspaceID)) error {
	f, err := r.mine()
	if err != nil {
		return err
	}
	f.Add("type", string(events.ContainerEventType))
	for _, action := range []events.Action{events.ActionStart, events.ActionDie, events.ActionDestroy} {
		f.Add("event", string(action))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	said, failed := r.engine.Events(ctx, events.ListOptions{Filters: f})
	tidy := time.NewTicker(collectEvery)
	defer tidy.Stop()
	for {
		select {
		case now := <-tidy.C:
			r.collect(ctx, now)
		case m := <-said:
			if id := m.Actor.Attributes[labelWorkspace]; id != "" {
				changed(identity.WorkspaceID(id))
			}
		case err := <-failed:
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return r.failed("say what changes", err)
		}
	}
}

// Measure implements workspace.Meter.
func (r *Runtime) Measure(ctx context.Context, id identity.WorkspaceID) (workspace.Figures, error) {
	all, err := r.containers(ctx, labelWorkspace, string(id))
	if err != nil {
		return workspace.Figures{}, err
	}
	i := slices.IndexFunc(all, func(c container.Summary) bool { return c.State == container.StateRunning })
	if i < 0 {
		return workspace.Figures{}, problem.New(problem.NotFound, "The workspace %s does not run here.", id)
	}
	stats, err := r.engine.ContainerStatsOneShot(ctx, all[i].ID)
	if err != nil {
		return workspace.Figures{}, r.failed("measure "+string(id), err)
	}
	defer stats.Body.Close()
	var s container.StatsResponse
	if err := json.NewDecoder(stats.Body).Decode(&s); err != nil {
		return workspace.Figures{}, fmt.Errorf("docker: what is measured of %s: %w", id, err)
	}
	cache := s.MemoryStats.Stats["inactive_file"] // control groups v2
	if c, v1 := s.MemoryStats.Stats["total_inactive_file"]; v1 {
		cache = c
	}
	return workspace.Figures{
		CPU:       time.Duration(s.CPUStats.CPUUsage.TotalUsage),
		Memory:    int64(s.MemoryStats.Usage - min(cache, s.MemoryStats.Usage)),
		Processes: int64(s.PidsStats.Current),
	}, nil
}
