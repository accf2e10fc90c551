package docker

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// defaultProcesses is how many processes a step of a build may have where no class says it.
const defaultProcesses = 4096

// boundTries is how often a limit is set that an engine does not set while a container ends.
const boundTries = 50

// boundSteps bounds the processes of the containers that have the network of exit, which are the steps of a build: the engine's
// builder takes no such limit, so each container gets it when it is made. A step that cannot be bounded ends the build, by stop. Where
// steps write is noted with b. The caller calls done after the build.
func (r *Runtime) boundSteps(ctx context.Context, exit string, processes int64, b *building, stop func(error)) (done func()) {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	made, failed := r.engine.Events(ctx, events.ListOptions{
		Since: strconv.FormatInt(time.Now().Unix(), 10),
		Filters: filters.NewArgs(filters.Arg("type", string(events.ContainerEventType)), filters.Arg("event", string(events.ActionCreate)),
			filters.Arg("event", string(events.ActionDie)), filters.Arg("event", string(events.ActionDestroy))),
	})
	work.Go(func() {
		for {
			select {
			case m := <-made:
				if m.Action != events.ActionCreate {
					b.over(ctx, m.Actor.ID, m.Action == events.ActionDestroy)
					continue
				}
				if err := r.boundStep(ctx, m.Actor.ID, exit, processes, b); err != nil && ctx.Err() == nil {
					stop(problem.Wrap(err, problem.Unavailable, "The Docker engine does not bound the processes of a build's steps: %s", plain(err)))
				}
			case err := <-failed:
				if ctx.Err() == nil {
					stop(r.failed("say what it makes", err))
				}
				return
			}
		}
	})
	return func() {
		cancel()
		work.Wait()
	}
}

func (r *Runtime) boundStep(ctx context.Context, id, exit string, processes int64, b *building) error {
	c, err := r.engine.ContainerInspect(ctx, id)
	if notFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if c.HostConfig == nil || string(c.HostConfig.NetworkMode) != "container:"+exit {
		return nil
	}
	b.begins(c)
	for range boundTries {
		_, err = r.engine.ContainerUpdate(ctx, id, container.UpdateConfig{Resources: container.Resources{PidsLimit: &processes}})
		if err == nil {
			return nil
		}
		// A short step ends meanwhile, which engines tell in as many words as there are moments for it.
		c, gone := r.engine.ContainerInspect(ctx, id)
		if notFound(gone) || gone == nil && c.State != nil && !c.State.Running && c.State.Status != container.StateCreated {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return err
}
