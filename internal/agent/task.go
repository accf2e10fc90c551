package agent

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// runTask runs the steps of a task in a terminal of its own, and returns when that has ended. In a prebuild it ends by
// itself, after what runs once; otherwise the shell is the person's when the steps are over.
func (a *Agent) runTask(ctx context.Context, j *job, t agentapi.Task, prebuild bool, done *once) {
	steps := map[string]string{"before": t.Before, "command": t.Then}
	if !done.has(initKey(t)) {
		steps["init"] = t.Init
	}
	if prebuild {
		steps["command"] = ""
	}
	files, err := makeTaskFiles(a.taskFolder(), t, steps, prebuild)
	if err == nil {
		defer files.close()
		err = a.startTask(j, t, files, prebuild)
	}
	if err != nil {
		a.log.Warn("a task did not start", "task", t.ID, "err", err)
		log := new(keptLog)
		log.line(err.Error())
		a.change(func() { j.state.State, j.state.Exit, j.log = agentapi.TaskFailed, 127, log.text })
		a.work.say("tasks", "task %s did not start: %v", j.state.Name, err)
		return
	}
	a.followTask(ctx, j, t, files, done)
}

// taskFolder is where the files of tasks are: in memory, where there is such a folder.
func (a *Agent) taskFolder() string {
	if a.config.Private != "" {
		return filepath.Join(a.config.Private, "tasks")
	}
	return filepath.Join(a.config.Home, ".cache/lanyard/tasks")
}

// startTask opens the task's terminal.
func (a *Agent) startTask(j *job, t agentapi.Task, files *taskFiles, prebuild bool) error {
	shell, args := files.command()
	file, err := openTaskLog(a.config.Home, t.ID)
	logWarn(a.log, "a task's output is kept in memory only", err)
	env := atTerminal(t.Env)
	if prebuild { // nobody is there to turn a page
		env["PAGER"], env["GIT_PAGER"] = "cat", "cat"
	}
	term, fresh, err := a.openTerminal(t.ID, agentapi.Size{}, file, func() *exec.Cmd { return a.shellCommand(env, shell, args...) })
	if err == nil && !fresh {
		err = fmt.Errorf("a terminal %s is open already", t.ID)
	}
	if err != nil {
		file.close()
		return err
	}
	go func() {
		<-term.over
		file.close()
	}()
	a.work.say("tasks", "task %s begins", j.state.Name)
	a.change(func() {
		j.state.State, j.state.Terminal, j.term = agentapi.TaskRunning, t.ID, term
		j.log = term.text
		j.stop = term.child.hangUpSession
	})
	return nil
}

// followTask notes what the shell says, until its terminal has ended.
func (a *Agent) followTask(ctx context.Context, j *job, t agentapi.Task, files *taskFiles, done *once) {
	stop := context.AfterFunc(ctx, func() { _ = files.report.SetReadDeadline(time.Now()) })
	defer stop()
	go func() {
		<-j.term.over
		_ = files.report.SetReadDeadline(time.Now().Add(outputGrace)) // what it said last is in the pipe
	}()
	lines := bufio.NewScanner(files.report)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		step, status, _ := strings.Cut(rest, " ")
		code, _ := strconv.Atoi(status) // anything may write to the pipe; what is no number is 0
		switch word {
		case "begin":
			a.change(func() { j.state.Step = step })
		case "end":
			if step == "init" && code == 0 {
				done.mark(initKey(t))
			}
		case "over":
			code, _ := strconv.Atoi(rest)
			a.taskOver(j, code)
		}
	}
	<-j.term.over
	code := j.term.child.code()
	a.work.mu.Lock()
	step, running := j.state.Step, j.state.State == agentapi.TaskRunning
	a.work.mu.Unlock()
	if running && code == 0 && step == "init" {
		done.mark(initKey(t)) // it ended with `exit`
	}
	a.taskOver(j, code)
	a.change(func() { j.state.Terminal, j.stop = "", nil })
}

// taskOver notes how a task's steps ended, once.
func (a *Agent) taskOver(j *job, code int) {
	a.work.mu.Lock()
	running := j.state.State == agentapi.TaskRunning
	step := j.state.Step
	a.work.mu.Unlock()
	if !running {
		return
	}
	a.change(func() {
		j.state.Exit = code
		switch {
		case j.ended:
			j.state.State = agentapi.TaskStopped
		case code != 0:
			j.state.State = agentapi.TaskFailed
		default:
			j.state.State, j.state.Step = agentapi.TaskDone, ""
		}
	})
	if code != 0 {
		a.work.say("tasks", "task %s: %s ended with status %d", j.state.Name, step, code)
	}
}
