package cut

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// program is a program that runs in the workspace, apart from any connection to it. It is watched from outside,
// through the machine's view of the workspace's files, since what is inside may be cut off.
type program struct {
	name   string
	folder string // on the machine
}

// program starts a shell line in the workspace and waits until its output holds what shows that bytes flow. next is a
// line to run once it has ended.
func (p *place) program(name, line, begun, next string) stream {
	p.t.Helper()
	return p.programThat(name, line, next, func(out string) bool { return strings.Contains(out, begun) })
}

// push starts a push and waits until the upstream has begun to take its pack.
func (p *place) push() stream {
	p.t.Helper()
	incoming := func() []string { // what git makes for the objects of a push (git-receive-pack, "Quarantine Environment")
		found, err := filepath.Glob(filepath.Join(p.Data, "git/payments/api.git/objects/tmp_objdir-incoming-*"))
		if err != nil {
			p.t.Fatal(err)
		}
		return found
	}
	before := incoming()
	line := fmt.Sprintf("cd /workspace/api; git push --progress origin cut:refs/heads/cut-%d", p.rounds)
	return p.programThat("push", line, "true", func(string) bool {
		return slices.ContainsFunc(incoming(), func(folder string) bool { return !slices.Contains(before, folder) })
	})
}

func (p *place) programThat(name, line, next string, flows func(out string) bool) stream {
	p.t.Helper()
	folder := fmt.Sprintf("%s-%d", name, p.rounds)
	x := program{name: name, folder: filepath.Join(p.Files(p.ws), ".cut", folder)}
	script := fmt.Sprintf("(%s) >out 2>&1; end=\"$? $EPOCHREALTIME\"; (%s) >next 2>&1; echo $end >end.new; mv end.new end", line, next)
	p.Must(who, p.ws, fmt.Sprintf("set -e; mkdir -p /workspace/.cut/%[1]s; cd /workspace/.cut/%[1]s; cat >run <<'END'\n%[2]s\nEND\nsetsid -f bash run <&- >/dev/null 2>&1", folder, script))
	p.Eventually(name+" flows", func() bool {
		if _, err := os.Stat(filepath.Join(x.folder, "end")); err == nil {
			p.t.Fatalf("%s ended at once:\n%s", name, x.read("out"))
		}
		return flows(x.read("out"))
	})
	return x
}

func (x program) read(file string) string {
	b, _ := os.ReadFile(filepath.Join(x.folder, file)) // not there yet is empty
	return string(b)
}

// Ended implements stream.
func (x program) Ended(ctx context.Context, p *place) (ending, error) {
	for x.read("end") == "" {
		select {
		case <-ctx.Done():
			return ending{}, fmt.Errorf("%s has not ended", x.name)
		case <-time.After(2 * time.Millisecond):
		}
		if w, err := p.Operator.Workspace(ctx, p.ws.ID); err == nil && w.Phase == "stopped" && x.read("end") == "" {
			return ending{}, fmt.Errorf("%s ended with the workspace", x.name)
		}
	}
	status, at, _ := strings.Cut(strings.TrimSpace(x.read("end")), " ")
	code, err := strconv.Atoi(status)
	if err != nil {
		return ending{}, fmt.Errorf("how %s ended: %w", x.name, err)
	}
	seconds, micros, _ := strings.Cut(at, ".")
	s, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return ending{}, fmt.Errorf("when %s ended: %w", x.name, err)
	}
	us, err := strconv.ParseInt(micros, 10, 64)
	if err != nil {
		return ending{}, fmt.Errorf("when %s ended: %w", x.name, err)
	}
	return ending{at: time.Unix(s, us*1000), said: x.read("out"), status: code, next: x.read("next")}, nil
}

// Goes implements stream. Git says nothing while a slow upstream takes its pack, so of a push only the end is looked for.
func (x program) Goes(*place) bool {
	before := len(x.read("out"))
	deadline := time.Now().Add(10 * time.Second)
	for x.name != "push" && len(x.read("out")) == before && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	return x.read("end") == "" && (x.name == "push" || len(x.read("out")) > before)
}

// Leave implements stream.
func (x program) Leave(p *place) {
	p.t.Helper()
	if x.read("end") != "" {
		return
	}
	out, _, err := p.TryExec(p.Context(), who, p.ws, "pkill -f '^(curl|git|/usr/lib/git-core)'")
	p.Eventually(x.name+" has been given up", func() bool { return x.read("end") != "" })
	if err != nil {
		p.t.Errorf("give up %s: %v %s", x.name, err, out)
	}
}
