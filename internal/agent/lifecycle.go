package agent

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// The stages of a devcontainer's life (https://containers.dev/implementors/spec/#lifecycle) in their order.
const (
	onCreate      = "onCreateCommand"
	updateContent = "updateContentCommand"
	postCreate    = "postCreateCommand"
	postStart     = "postStartCommand"
	postAttach    = "postAttachCommand"
)

var stages = [...]string{onCreate, updateContent, postCreate, postStart, postAttach}

// stageOf is a stage's place in the order; -1 for what is none.
func stageOf(stage string) int { return slices.Index(stages[:], stage) }

// onlyOnce reports whether a stage runs once for a checkout.
func onlyOnce(stage string) bool { return stageOf(stage) <= stageOf(postCreate) }

// live runs the steps up to postStartCommand. The first that fails ends it: false. The workspace is ready all the same:
// somebody has to get in to mend what is wrong.
func (a *Agent) live(ctx context.Context, s agentapi.Setup, steps []*job, done *once) bool {
	waitFor := stageOf(s.WaitFor)
	if waitFor < 0 {
		waitFor = stageOf(updateContent)
	}
	ready := sync.OnceFunc(func() { close(a.work.ready) })
	defer ready()
	for i, j := range steps {
		if stageOf(j.step.Stage) > waitFor {
			ready()
		}
		key := stepKey(j.step)
		if onlyOnce(j.step.Stage) && done.has(key) {
			a.change(func() { j.state.State = agentapi.TaskSkipped })
			continue
		}
		if !a.runStep(ctx, j) {
			a.change(func() {
				for _, rest := range slices.Concat(steps[i+1:], a.work.attach) {
					rest.state.State = agentapi.TaskSkipped
				}
				a.work.attach = nil
			})
			return false
		}
		if onlyOnce(j.step.Stage) {
			done.mark(key)
		}
	}
	return true
}

// runStep runs the parts of a step at once and waits for all.
func (a *Agent) runStep(ctx context.Context, j *job) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	log := new(keptLog)
	a.change(func() {
		j.state.State, j.state.Exit, j.log, j.stop = agentapi.TaskRunning, 0, log.text, cancel
	})
	// What is said here is for all who see the workspace's start, and kept with one that fails. What the commands write may hold
	// secrets that they were given, so it stays in the step's log, which the workspace's owner alone reads.
	a.work.say(j.step.Stage, "%s runs", j.state.Name)
	codes := make([]int, len(j.step.Parts))
	var wg sync.WaitGroup
	for i, p := range j.step.Parts {
		wg.Go(func() { codes[i] = a.runPart(ctx, j, p, log) })
	}
	wg.Wait()
	worst := slices.Max(append(codes, 0))
	a.change(func() {
		j.state.State, j.state.Exit = agentapi.TaskDone, worst
		switch {
		case j.ended:
			j.state.State = agentapi.TaskStopped
		case worst != 0:
			j.state.State = agentapi.TaskFailed
		}
		j.stop = nil
	})
	if worst != 0 {
		a.work.say(j.step.Stage, "%s failed with status %d; the log of %s says more", j.state.Name, worst, j.state.ID)
	}
	return worst == 0
}

// runPart runs one command and returns its status.
func (a *Agent) runPart(ctx context.Context, j *job, p agentapi.Part, log *keptLog) int {
	argv := p.Argv
	if len(argv) == 0 {
		argv = []string{"/bin/sh", "-c", p.Shell}
	}
	prefix := ""
	if len(j.step.Parts) > 1 {
		prefix = p.Name + ": "
	}
	fail := func(err error) int {
		log.line(prefix + err.Error())
		return 127
	}
	env := a.remoteEnvironment(nil)
	program, err := lookUp(argv[0], env)
	if err != nil {
		return fail(fmt.Errorf("%q: command not found in the workspace", argv[0]))
	}
	cmd := exec.Command(program)
	cmd.Args, cmd.Env, cmd.Dir = argv, env, a.folder()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	read, write, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	defer read.Close()
	cmd.Stdout, cmd.Stderr = write, write
	ch, err := a.children.start(cmd)
	write.Close()
	if err != nil {
		return fail(err)
	}
	stop := context.AfterFunc(ctx, ch.hangUp)
	defer stop()
	go func() {
		<-ch.ended
		lastWords(read)
	}()
	lines := bufio.NewReaderSize(newOutput(read), 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			log.line(prefix + strings.TrimRight(string(line), "\r\n"))
		}
		if err != nil && err != bufio.ErrBufferFull {
			return ch.code()
		}
	}
}

// reopenAfter is how long nobody was in a workspace before who comes opens it anew: a page that reconnects does not.
const reopenAfter = time.Minute

// opened notes that somebody is in the workspace, so that what is to run then does. The returned function is called when
// they leave.
func (w *work) opened() (leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.viewers++
	if w.viewers == 1 && time.Since(w.left) > reopenAfter {
		select {
		case w.visits <- struct{}{}:
		default: // one is waiting to be served
		}
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.viewers--
		w.left = time.Now()
	}
}

// greet runs postAttachCommand whenever somebody opens the workspace, until ctx ends.
func (a *Agent) greet(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.work.visits:
		}
		a.work.mu.Lock()
		attach := a.work.attach
		a.work.mu.Unlock()
		for _, j := range attach {
			if !a.runStep(ctx, j) {
				break
			}
		}
	}
}
