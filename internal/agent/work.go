package agent

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// work is what the repository's file wants done in the workspace: the steps of its life, one after the other, then the
// tasks, all at once. It begins once in the life of an agent, whatever becomes of the setup that brought it.
type work struct {
	order  chan agentapi.Setup // one
	ready  chan struct{}       // closed when what the workspace waits for is over
	over   chan struct{}       // closed when all that a prebuild runs is
	visits chan struct{}       // one for each time that somebody opens the workspace

	telling sync.Mutex // guards tellers and next
	tellers map[int]func(agentapi.Progress)
	next    int // key of the next teller

	mu      sync.Mutex // guards the rest
	begun   bool
	jobs    []*job
	attach  []*job    // what runs whenever somebody opens the workspace
	viewers int       // who is in it
	left    time.Time // when the last of them left
}

// job is a task or a step.
type job struct {
	state agentapi.TaskState // guarded by work.mu, as the rest
	log   func() []byte      // nil before it begins
	stop  func()
	ended bool          // by a person
	term  *terminal     // of a task that began
	step  agentapi.Step // of a step
}

func newWork() *work {
	return &work{
		order: make(chan agentapi.Setup, 1), ready: make(chan struct{}), over: make(chan struct{}),
		visits: make(chan struct{}, 1), tellers: map[int]func(agentapi.Progress){},
	}
}

// begin gives the order, the first time.
func (w *work) begin(s agentapi.Setup) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.begun {
		w.begun = true
		w.order <- s
	}
}

// listen tells a function what is done, until the returned one is called.
func (w *work) listen(say func(agentapi.Progress)) (stop func()) {
	w.telling.Lock()
	defer w.telling.Unlock()
	key := w.next
	w.next++
	w.tellers[key] = say
	return func() {
		w.telling.Lock()
		defer w.telling.Unlock()
		delete(w.tellers, key)
	}
}

func (w *work) say(phase, format string, args ...any) {
	w.telling.Lock()
	defer w.telling.Unlock()
	for _, say := range w.tellers {
		say(agentapi.Progress{Phase: phase, Text: fmt.Sprintf(format, args...)})
	}
}

// keepAtWork carries out the order when it comes, until ctx ends.
func (a *Agent) keepAtWork(ctx context.Context) {
	var s agentapi.Setup
	select {
	case <-ctx.Done():
		return
	case s = <-a.work.order:
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	done := openOnce(a.config.Workspace, s.Name, a.log)
	steps, tasks := a.plan(s)
	if !a.live(ctx, s, steps, done) {
		a.change(func() {
			for _, t := range tasks {
				t.state.State = agentapi.TaskSkipped
			}
		})
	} else {
		for i, t := range tasks {
			wg.Go(func() { a.runTask(ctx, t, s.Tasks[i], s.Prebuild, done) })
		}
	}
	if s.Prebuild {
		wg.Wait()
		close(a.work.over)
		return
	}
	a.greet(ctx)
}

// plan lists the jobs of a setup.
func (a *Agent) plan(s agentapi.Setup) (steps, tasks []*job) {
	stepsOf := slices.Clone(s.Lifecycle)
	slices.SortStableFunc(stepsOf, func(x, y agentapi.Step) int { return stageOf(x.Stage) - stageOf(y.Stage) })
	var attach []*job
	for i, step := range stepsOf {
		if s.Prebuild && stageOf(step.Stage) > stageOf(updateContent) {
			continue
		}
		name := step.Stage
		if step.From != "" {
			name += " of " + step.From
		}
		j := &job{state: agentapi.TaskState{ID: fmt.Sprintf("step-%d", i+1), Name: name, State: agentapi.TaskWaiting, Step: step.Stage}, step: step}
		if step.Stage == postAttach {
			attach = append(attach, j)
		} else {
			steps = append(steps, j)
		}
	}
	for _, t := range s.Tasks {
		name := t.Name
		if name == "" {
			name = t.ID
		}
		tasks = append(tasks, &job{state: agentapi.TaskState{ID: t.ID, Name: name, State: agentapi.TaskWaiting}})
	}
	a.change(func() { a.work.jobs, a.work.attach = slices.Concat(steps, attach, tasks), attach })
	return steps, tasks
}

// change changes jobs, and tells those who watch.
func (a *Agent) change(do func()) {
	a.work.mu.Lock()
	do()
	a.work.mu.Unlock()
	a.changes.tell()
}

// states are those of all jobs.
func (w *work) states() []agentapi.TaskState {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]agentapi.TaskState, len(w.jobs))
	for i, j := range w.jobs {
		list[i] = j.state
	}
	return list
}

func (w *work) job(id string) (j *job, log func() []byte, stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, j := range w.jobs {
		if j.state.ID == id {
			return j, j.log, j.stop
		}
	}
	return nil, nil, nil
}

// await waits for what a setup has to wait for. In a prebuild, what failed is the error.
func (w *work) await(ctx context.Context, prebuild bool) error {
	until := w.ready
	if prebuild {
		until = w.over
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-until:
	}
	for _, s := range w.states() {
		if prebuild && (s.State == agentapi.TaskFailed || s.State == agentapi.TaskStopped) {
			return fmt.Errorf("%s: %s failed with status %d", s.Name, s.Step, s.Exit)
		}
	}
	return nil
}

// logWarn is for what the workspace goes on without.
func logWarn(log *slog.Logger, what string, err error) {
	if err != nil {
		log.Warn(what, "err", err)
	}
}
