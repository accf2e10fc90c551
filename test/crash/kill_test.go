package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/test/harness"
)

func as(err error, target any) bool { return errors.As(err, target) }

// acknowledged is what the server has answered for.
type acknowledged struct {
	mu     sync.Mutex
	pushes map[string]bool // commits
	marks  map[string]bool // arguments of commands
	counts map[string]int  // sign-ins and revocations
}

// busy keeps the server busy with durable actions until ctx ends, across any number of crashes, and notes down those
// that were acknowledged.
func busy(ctx context.Context, w *harness.World, ws api.Workspace) (*acknowledged, *sync.WaitGroup) {
	done := &acknowledged{pushes: map[string]bool{}, marks: map[string]bool{}, counts: map[string]int{}}
	ada, info := w.As(who), w.Info
	var all sync.WaitGroup
	every := func(act func(ctx context.Context, n int) (note func())) {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				once, cancel := context.WithTimeout(ctx, 20*time.Second)
				if note := act(once, n); note != nil {
					done.mu.Lock()
					note()
					done.mu.Unlock()
				}
				cancel()
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	every(func(ctx context.Context, n int) func() {
		var out harness.Buffer
		line := fmt.Sprintf(`cd /workspace/api && rm -f .git/index.lock && echo %d >n.txt && git add n.txt && git commit -qm "Number %[1]d" && git push -q origin HEAD:refs/heads/crash && git rev-parse HEAD`, n)
		code, err := ada.Exec(ctx, ws.ID, agentapi.ExecRequest{Argv: []string{"bash", "-c", line}}, agentapi.Streams{Stdout: &out})
		if err != nil || code != 0 {
			return nil
		}
		return func() { done.pushes[strings.TrimSpace(out.String())] = true }
	})
	every(func(ctx context.Context, n int) func() {
		mark := fmt.Sprintf("mark-%d", n)
		code, err := ada.Exec(ctx, ws.ID, agentapi.ExecRequest{Argv: []string{"true", mark}}, agentapi.Streams{})
		if err != nil || code != 0 {
			return nil
		}
		return func() { done.marks[mark] = true }
	})
	every(func(ctx context.Context, n int) func() {
		u, err := info.User("linus")
		if err != nil {
			return nil
		}
		r, err := info.SignIn(ctx, u)
		if err != nil {
			return nil
		}
		defer r.Close()
		if _, err := r.Me(ctx); err != nil {
			return func() { done.counts["signin"]++ }
		}
		operator := remote.Socket(info.Socket)
		defer operator.Close()
		revoked, err := operator.Revoke(ctx, api.Revoke{Kind: api.RevokeUser, ID: u.Username})
		if err != nil || !revoked.Recorded {
			return func() { done.counts["signin"]++ }
		}
		return func() { done.counts["signin"]++; done.counts["lease:revoke"]++ }
	})
	return done, &all
}

var number = regexp.MustCompile(`shell-is-(\d+)`)

// Killed again and again in the middle of work, the server comes back to workspaces that went on, and has lost
// nothing that it had acknowledged.
func TestKilledDuringWork(t *testing.T) {
	t.Parallel()
	w := harness.Start(t)
	ws := w.Workspace(who, repository)
	s := sandboxOf(w, ws)
	term := w.Terminal(who, ws)
	if err := term.Type("(while :; do n=$((n+1)); echo $n >/workspace/counter; sleep 0.02; done) & echo shell-is-$$; echo scroll''back\n"); err != nil {
		t.Fatal(err)
	}
	w.Eventually("the shell answers", func() bool { return strings.Contains(term.Output(), "scrollback") && number.MatchString(term.Output()) })
	shell := number.FindStringSubmatch(term.Output())[1]
	counter := func() int {
		b, _ := os.ReadFile(filepath.Join(w.Files(ws), "counter")) // empty while it is being written
		n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
		return n
	}
	w.Eventually("the counter runs", func() bool { return counter() > 0 })
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done, actors := busy(ctx, w, ws)

	kills := 4
	if os.Getenv("LANYARD_SLOW") != "" {
		kills = 100
	}
	var readies, backs []time.Duration
	for round := range kills {
		after := 100*time.Millisecond + rand.N(1700*time.Millisecond)
		time.Sleep(after)
		w.Kill()
		select {
		case <-term.Ended():
		case <-time.After(harness.Wait):
			t.Fatal("the terminal outlives its server")
		}
		high := counter()
		w.Eventually("the counter goes on without a server", func() bool { return counter() > high })
		began := time.Now()
		w.Run()
		ready := time.Since(began)
		if now := sandboxOf(w, ws); now != s {
			t.Fatalf("the workspace is another: %+v, was %+v", now, s)
		}
		var err error
		w.Eventually("the terminal reattaches", func() bool {
			term, err = w.TryTerminal(who, ws.Terminal)
			return err == nil
		})
		back := time.Since(began)
		w.Eventually("the scrollback is there", func() bool {
			return strings.Contains(term.Output(), "scrollback") && strings.Contains(term.Output(), "shell-is-"+shell)
		})
		if err := term.Type(fmt.Sprintf("echo round-%d-in-$$\n", round)); err != nil {
			t.Fatal(err)
		}
		w.Eventually("the same shell answers", func() bool { return strings.Contains(term.Output(), fmt.Sprintf("round-%d-in-%s", round, shell)) })
		readies, backs = append(readies, ready), append(backs, back)
	}
	slices.Sort(readies)
	slices.Sort(backs)
	t.Logf("killed %d times; ready again after %v (median), %v (longest), the terminal after %v, %v", kills,
		readies[kills/2].Round(time.Millisecond), readies[kills-1].Round(time.Millisecond),
		backs[kills/2].Round(time.Millisecond), backs[kills-1].Round(time.Millisecond))
	w.Eventually("enough is done to tell", done.enough)
	stop()
	actors.Wait()
	allRecorded(w, done)
	if said := w.Lanyard("audit", "verify"); said.Status != 0 || !strings.Contains(said.Out, "consistent and complete") {
		t.Errorf("audit verify of the running server: %+v", said)
	}
	w.Stop()
	for _, args := range [][]string{{}, {"--checkpoint", filepath.Join(w.Data, "checkpoints")}} {
		said := w.Lanyard(append(append([]string{"audit", "verify"}, w.DatabaseFlags()...), args...)...)
		want := "consistent and complete"
		if len(args) == 0 {
			want = "consistent, completeness unproven"
		}
		if said.Status != 0 || !strings.Contains(said.Out, want) {
			t.Errorf("audit verify %v: %+v", args, said)
		}
	}
}

// enough reports whether so much was acknowledged that a loss would show.
func (a *acknowledged) enough() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.pushes) >= 3 && len(a.marks) >= 10 && a.counts["signin"] >= 3 && a.counts["lease:revoke"] >= 3
}

// allRecorded checks that every acknowledged action is in the audit log, and every acknowledged push at its upstream.
func allRecorded(w *harness.World, done *acknowledged) {
	w.T.Helper()
	done.mu.Lock()
	defer done.mu.Unlock()
	var pushes, marks map[string]bool
	var counts map[string]int
	events := 0
	missing := func() bool {
		pushes, marks, counts = maps.Clone(done.pushes), maps.Clone(done.marks), maps.Clone(done.counts)
		events = strike(w, pushes, marks, counts)
		return len(pushes) > 0 || len(marks) > 0 || counts["signin"] > 0 || counts["lease:revoke"] > 0
	}
	// What is durable becomes part of the log's tree a moment later; after a crash, once a new leader has begun.
	for end := time.Now().Add(20 * time.Second); missing() && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	w.T.Logf("%d entries hold %d pushes, %d commands, %d sign-ins and %d revocations that were acknowledged",
		events, len(done.pushes), len(done.marks), done.counts["signin"], done.counts["lease:revoke"])
	if missing() {
		w.T.Errorf("acknowledged and not in the log: pushes %v, commands %v, %v", slices.Collect(maps.Keys(pushes)), slices.Collect(maps.Keys(marks)), counts)
	}
	for commit := range done.pushes {
		git := exec.Command("git", "-C", upstreamRepository(w), "merge-base", "--is-ancestor", commit, "crash")
		if out, err := git.CombinedOutput(); err != nil {
			w.T.Errorf("the push of %s was acknowledged and is not at the upstream: %v %s", commit, err, out)
		}
	}
}

func upstreamRepository(w *harness.World) string {
	w.T.Helper()
	for _, name := range []string{"api.git", "api"} {
		dir := filepath.Join(w.Data, "git", "payments", name)
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
	}
	w.T.Fatal("the upstream's repository is not found")
	return ""
}

// strike reads the audit log and takes out of the arguments what is in it. It returns how many entries there are.
func strike(w *harness.World, pushes, marks map[string]bool, counts map[string]int) (events int) {
	w.T.Helper()
	var log bytes.Buffer
	if err := w.Operator.ExportAudit(w.Context(), &log); err != nil {
		w.T.Fatal(err)
	}
	for line := range strings.Lines(log.String()) {
		var e struct {
			Seq     int
			Action  string
			Outcome string
			Detail  struct {
				Exec     []string
				Refs     []struct{ New string }
				UserName string `json:"user_name"`
			}
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Seq != events {
			w.T.Fatalf("entry %d: %v %s", events, err, line)
		}
		events++
		switch {
		case e.Action == "repo:write" && e.Outcome == "opened" && len(e.Detail.Refs) == 1:
			delete(pushes, e.Detail.Refs[0].New)
		case e.Action == "workspace:open" && e.Outcome == "opened" && len(e.Detail.Exec) == 2:
			delete(marks, e.Detail.Exec[1])
		case e.Action == "signin" && e.Outcome == "done" && strings.HasPrefix(e.Detail.UserName, "linus@"), e.Action == "lease:revoke" && e.Outcome == "done":
			counts[e.Action]--
		}
	}
	return events
}
