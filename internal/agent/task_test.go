package agent

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// setup sets the workspace up and returns what was said.
func (w *world) setup(s agentapi.Setup) string {
	w.t.Helper()
	said, err := w.trySetup(s)
	if err != nil {
		w.t.Fatalf("%v\n%s", err, said)
	}
	return said
}

func (w *world) trySetup(s agentapi.Setup) (said string, err error) {
	w.t.Helper()
	if s.Name == "" {
		s.Name = "api"
	}
	var b strings.Builder
	err = w.agent().Setup(testContext(w.t), s, func(p agentapi.Progress) { b.WriteString(p.Phase + ": " + p.Text + "\n") })
	return b.String(), err
}

func (w *world) state(id string) agentapi.TaskState {
	w.t.Helper()
	list, err := w.agent().Tasks(testContext(w.t))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range list {
		if s.ID == id {
			return s
		}
	}
	return agentapi.TaskState{}
}

func (w *world) becomes(id, state string) {
	w.t.Helper()
	eventually(w.t, id+" is "+state, func() bool { return w.state(id).State == state })
}

func (w *world) log(id string) string {
	w.t.Helper()
	r, err := w.agent().TaskLog(testContext(w.t), id)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func (w *world) read(parts ...string) string {
	w.t.Helper()
	text, err := os.ReadFile(w.workspace(parts...))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func TestTasksRunInOneShellEach(t *testing.T) {
	w := newWorld(t, nil)
	s := agentapi.Setup{Env: map[string]string{"PLACE": "here"}, RemoteEnv: map[string]string{"BESIDE": "${containerEnv:PLACE}-${containerEnv:NO:none}"}, Tasks: []agentapi.Task{
		{
			ID: "task-build", Name: "Build", Env: map[string]string{"OWN": "own"},
			Before: `export FROM=before; declare -A MAP=([k]=v)`,
			Init:   `echo run >>../init; cd /`,
			Then:   `echo "saw $FROM ${MAP[k]} $PWD $OWN $BESIDE $TERM" && read -r line && echo "typed $line"; [ -t 0 ]`,
		},
		{ID: "task-broken", Before: "true", Init: "echo broken >>../broken; (exit 7)", Then: "touch ../never"},
		{ID: "task-leaves", Then: "exit 3"},
		{ID: "task-long", Then: "sleep 1000"},
		{ID: "task-stopped", Then: "sleep 1000"},
	}}
	w.setup(s)
	w.becomes("task-broken", agentapi.TaskFailed)
	if got := w.state("task-broken"); got.Exit != 7 || got.Step != "init" || got.Terminal != "task-broken" {
		t.Errorf("%+v", got)
	}
	w.becomes("task-leaves", agentapi.TaskFailed)
	eventually(t, "its terminal is gone", func() bool { return w.state("task-leaves").Terminal == "" })
	if got := w.state("task-leaves"); got.Exit != 3 {
		t.Errorf("%+v", got)
	}
	a := w.attach("task-build", agentapi.Size{})
	a.until("saw before v / own here-none xterm-256color")
	if got := w.state("task-build"); got.State != agentapi.TaskRunning || got.Step != "command" || got.Name != "Build" {
		t.Errorf("%+v", got)
	}
	a.typed("words\n")
	a.until("typed words")
	w.becomes("task-build", agentapi.TaskDone)
	a.typed("echo af''ter $FROM\n") // the shell is the person's now
	a.until("after before")
	eventually(t, "the task's output is in its log", func() bool { return strings.Contains(w.log("task-build"), "typed words") })
	b := w.attach("task-long", agentapi.Size{})
	b.until("sleep 1000")
	eventually(t, "the step has begun", func() bool { return w.state("task-long").Step == "command" })
	b.typed("\x03") // ends the step, and not the shell
	w.becomes("task-long", agentapi.TaskFailed)
	if got := w.state("task-long"); got.Exit != 130 {
		t.Errorf("%+v", got)
	}
	b.typed("echo go''es on\n")
	b.until("goes on")
	if err := w.agent().StopTask(testContext(t), "task-stopped"); err != nil {
		t.Fatal(err)
	}
	w.becomes("task-stopped", agentapi.TaskStopped)
	if kept, err := os.ReadFile(filepath.Join(w.root, "home/.local/state/lanyard/tasks/task-build.log")); err != nil || !strings.Contains(string(kept), "typed words") {
		t.Errorf("kept %q, %v", kept, err)
	}
	if err := w.agent().StopTask(testContext(t), "task-none"); err == nil {
		t.Error("a task that is not there was stopped")
	}

	// The next start: what runs once does not run again, what failed does.
	w.endAgent(testContext(t))
	w.startAgent()
	w.setup(s)
	w.becomes("task-broken", agentapi.TaskFailed)
	w.attach("task-build", agentapi.Size{}).until("saw before v " + w.workspace("api"))
	if got := w.read("init"); got != "run\n" {
		t.Errorf("init: %q", got)
	}
	if got := w.read("broken"); got != "broken\nbroken\n" {
		t.Errorf("the init that failed: %q", got)
	}
	if _, err := os.Stat(w.workspace("never")); err == nil {
		t.Error("a command ran after an init that failed")
	}
	// A setup that comes again, as from a server that was restarted in the middle, begins nothing anew.
	w.setup(s)
	if got := w.read("broken"); got != "broken\nbroken\n" {
		t.Errorf("a second setup ran tasks again: %q", got)
	}
}

// A shell that is killed is not the agent's end, and the state says what happened.
func TestTaskWhoseShellIsKilled(t *testing.T) {
	w := newWorld(t, nil)
	w.setup(agentapi.Setup{Tasks: []agentapi.Task{{ID: "task-1", Then: "echo $$ >../pid; kill -9 $$"}}})
	w.becomes("task-1", agentapi.TaskFailed)
	if got := w.state("task-1"); got.Exit != 137 {
		t.Errorf("%+v", got)
	}
	a := w.attach("task-1", agentapi.Size{})
	a.typed("echo an''other\n")
	a.until("another")
}

func TestPrebuildRunsWhatRunsOnce(t *testing.T) {
	w := newWorld(t, nil)
	s := agentapi.Setup{
		Lifecycle: []agentapi.Step{
			{Stage: postCreate, Parts: []agentapi.Part{{Shell: "echo post >>../ran"}}},
			{Stage: onCreate, Parts: []agentapi.Part{{Shell: "echo create >>../ran"}}},
		},
		Tasks: []agentapi.Task{{ID: "task-1", Before: "export A=a", Init: "echo init $A >>../ran", Then: "echo command >>../ran"}},
	}
	pre := s
	pre.Prebuild = true
	w.setup(pre)
	if got := w.read("ran"); got != "create\ninit a\n" {
		t.Errorf("a prebuild ran %q", got)
	}
	if got := w.state("task-1").State; got != agentapi.TaskDone {
		t.Error(got)
	}
	w.endAgent(testContext(t))
	w.startAgent()
	w.setup(s)
	w.becomes("task-1", agentapi.TaskDone)
	if got := w.read("ran"); got != "create\ninit a\npost\ncommand\n" {
		t.Errorf("then %q", got)
	}
}

func TestPrebuildThatFailsSaysSo(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.trySetup(agentapi.Setup{Prebuild: true, Tasks: []agentapi.Task{
		{ID: "task-1", Name: "Good", Init: "true"}, {ID: "task-2", Name: "Bad", Init: "exit 5"},
	}})
	if err == nil || !strings.Contains(err.Error(), "Bad: init failed with status 5") {
		t.Errorf("%v", err)
	}
}

func TestLifecycleRunsInItsOrder(t *testing.T) {
	w := newWorld(t, nil)
	say := func(what string) []agentapi.Part {
		return []agentapi.Part{{Argv: []string{"sh", "-c", `echo "$1" >>../ran`, "sh", what}}}
	}
	s := agentapi.Setup{
		RemoteEnv: map[string]string{"PATH": "${containerEnv:PATH}:" + w.root},
		Lifecycle: []agentapi.Step{
			{Stage: postAttach, Parts: say("attach")},
			{Stage: postStart, Parts: say("start")},
			{Stage: onCreate, From: "feature", Parts: say("feature")},
			{Stage: onCreate, Parts: say("create")},
			// Both at once: each waits for the other.
			{Stage: updateContent, Parts: []agentapi.Part{
				{Name: "one", Shell: "until [ -e ../two ]; do sleep 0.01; done; touch ../one; echo $PATH"},
				{Name: "two", Shell: "touch ../two; until [ -e ../one ]; do sleep 0.01; done"},
			}},
		},
	}
	said := w.setup(s)
	if !strings.Contains(said, "onCreateCommand of feature runs") {
		t.Errorf("said %s", said)
	}
	w.becomes("step-4", agentapi.TaskDone)
	if got := w.read("ran"); got != "feature\ncreate\nstart\n" {
		t.Errorf("ran %q", got)
	}
	if got := w.log("step-3"); !strings.HasPrefix(got, "one: ") || !strings.HasSuffix(got, ":"+w.root+"\n") || !strings.Contains(got, agentapi.CommandFolder) {
		t.Errorf("log %q", got)
	}
	w.attach("main", agentapi.Size{})
	eventually(t, "what runs for who opens it", func() bool { return strings.HasSuffix(w.read("ran"), "start\nattach\n") })
	w.endAgent(testContext(t))
	w.startAgent()
	w.setup(s)
	w.becomes("step-4", agentapi.TaskDone)
	if got := w.read("ran"); got != "feature\ncreate\nstart\nattach\nstart\n" {
		t.Errorf("at the second start: %q", got)
	}
}

// TestAttack11StepsOutputIsNotSaid: what a step writes may hold secrets that it was given; who sees only that the workspace
// starts, and the record of a start that failed, get names and statuses.
func TestAttack11StepsOutputIsNotSaid(t *testing.T) {
	w := newWorld(t, nil)
	said := w.setup(agentapi.Setup{WaitFor: postStart, Lifecycle: []agentapi.Step{
		{Stage: onCreate, Parts: []agentapi.Part{{Shell: "T=hunter; echo ${T}1"}}},
		{Stage: postStart, Parts: []agentapi.Part{{Shell: "T=hunter; echo ${T}2 >&2; exit 4"}}},
	}})
	if strings.Contains(said, "hunter") || !strings.Contains(said, "postStartCommand failed with status 4") {
		t.Errorf("said %s", said)
	}
	if got := w.log("step-2"); got != "hunter2\n" {
		t.Errorf("log %q", got)
	}
}

func TestLifecycleEndsWithWhatFails(t *testing.T) {
	w := newWorld(t, nil)
	said := w.setup(agentapi.Setup{
		Lifecycle: []agentapi.Step{
			{Stage: onCreate, Parts: []agentapi.Part{{Shell: "echo no such thing >&2; exit 9"}}},
			{Stage: postStart, Parts: []agentapi.Part{{Shell: "touch ../never"}}},
			{Stage: postAttach, Parts: []agentapi.Part{{Shell: "touch ../never"}}},
		},
		Tasks: []agentapi.Task{{ID: "task-1", Then: "touch ../never"}},
	})
	if !strings.Contains(said, "onCreateCommand failed with status 9") {
		t.Errorf("said %s", said)
	}
	for id, want := range map[string]string{"step-1": agentapi.TaskFailed, "step-2": agentapi.TaskSkipped, "step-3": agentapi.TaskSkipped, "task-1": agentapi.TaskSkipped} {
		w.becomes(id, want)
	}
	w.attach("main", agentapi.Size{}).typed("exit\n")
	if _, err := os.Stat(filepath.Join(w.root, "workspace", "never")); err == nil {
		t.Error("something ran after what failed")
	}
}

func TestWatchTellsWhatGoesOn(t *testing.T) {
	w := newWorld(t, nil)
	ctx := testContext(t)
	saw := make(chan agentapi.Now, 1000)
	watching := make(chan error, 1)
	go func() { watching <- w.agent().Watch(ctx, func(n agentapi.Now) { saw <- n }) }()
	if first := <-saw; first.Ready || len(first.Tasks) != 0 {
		t.Errorf("%+v", first)
	}
	w.setup(agentapi.Setup{Tasks: []agentapi.Task{{ID: "task-1", Then: "true"}}})
	for n := range saw {
		if n.Ready && len(n.Tasks) == 1 && n.Tasks[0].State == agentapi.TaskDone && len(n.Terminals) == 1 {
			break
		}
	}
	w.endAgent(ctx)
	if err := <-watching; err == nil {
		t.Error("the end of the workspace was no error")
	}
	w.startAgent() // for the test's end
}

func TestSetupsThatWantWhatCannotBe(t *testing.T) {
	for name, s := range map[string]agentapi.Setup{
		"a task called main":   {Tasks: []agentapi.Task{{ID: "main"}}},
		"two of a name":        {Tasks: []agentapi.Task{{ID: "a"}, {ID: "a"}}},
		"a path for a name":    {Tasks: []agentapi.Task{{ID: "../a"}}},
		"a repository outside": {More: []agentapi.Repository{{URL: sampleURL, Folder: "../a"}}},
		"one nowhere":          {More: []agentapi.Repository{{URL: sampleURL}}},
		"a repository by file": {More: []agentapi.Repository{{URL: "file:///etc", Folder: "a"}}},
		"dotfiles by ssh":      {Dotfiles: &agentapi.Repository{URL: "ssh://git.example.test/a"}},
		"an unknown stage":     {Lifecycle: []agentapi.Step{{Stage: "initializeCommand", Parts: []agentapi.Part{{Shell: "true"}}}}},
		"an empty command":     {Lifecycle: []agentapi.Step{{Stage: onCreate, Parts: []agentapi.Part{{}}}}},
		"a relative folder":    {Folder: "a"},
		"a variable of two":    {RemoteEnv: map[string]string{"A=B": ""}},
	} {
		s.Name = "api"
		if err := checkSetup(s); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
