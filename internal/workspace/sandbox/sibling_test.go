package sandbox

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
	"github.com/lanyardhq/lanyard/internal/tunnel"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/runtimetest"
)

// household is a manager of real workspaces, as much of a server as siblings need.
type household struct {
	*runtimetest.Server
	t    *testing.T
	rows *store.Store
	m    *workspace.Manager
	end  func()
	of   workspace.Workspace

	mu    sync.Mutex
	ended map[identity.SessionID]string
}

func newHousehold(t *testing.T) *household {
	t.Helper()
	h := harness(t)
	rows := storetest.SQLite(t).Open(t, "test")
	w := &household{t: t, Server: runtimetest.NewServer(t, h), rows: rows, ended: map[identity.SessionID]string{}}
	w.Handler = http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) { // says who asks
		id, _ := tunnel.WorkspaceFrom(r.Context())
		fmt.Fprint(out, id)
	})
	w.manage()
	var err error
	w.of, err = w.m.Create(t.Context(), workspace.Order{Owner: identity.UserID{Tenant: "t", Object: "dana"}, OwnerName: "Dana", Project: "p-aaaaaaaaaaaaaaaa", Repository: "https://git.example.test/api"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.clear)
	w.until(w.of.ID, workspace.Running)
	return w
}

// group runs parts in one household, each with a checkout that is new.
func group(t *testing.T, parts ...func(*testing.T, *household)) {
	w := newHousehold(t)
	for _, part := range parts {
		name := runtime.FuncForPC(reflect.ValueOf(part).Pointer()).Name()
		t.Run(name[strings.LastIndexByte(name, '.')+1:], func(t *testing.T) {
			w.t = t
			w.checkout()
			part(t, w)
		})
	}
	w.t = t
}

// checkout makes the workspace's checkout anew.
func (w *household) checkout() {
	w.Shell(w.t, w.of.ID, `rm -rf /workspace/api ~/.gitconfig && mkdir /workspace/api && cd /workspace/api && git init -q -b main && git config user.name Dana && git config user.email dana@contoso.example &&
		printf '*.log\n' > .gitignore && mkdir src && echo one > src/one.txt && git add . && git commit -q -m first`)
}

func TestSiblings(t *testing.T) {
	group(t, siblingStory, siblingWithoutWork, siblingWithMuchWork, siblingOfAnUnusualCheckout, siblingThatShares, siblingAndWorkspaceAreApart, manySiblings)
}

func TestAttack30WorkOfASiblingRunsNothing(t *testing.T) {
	group(t, siblingWorkRunsNothing, siblingWithHostileObjects, siblingWithARepositoryInside)
}

func TestSiblingsWhenTheirServerOrWorkspaceGoes(t *testing.T) {
	group(t, siblingEndsWithItsWorkspace, siblingWorkIsKept, siblingAfterARestart, siblingWhoseWorkspaceComesBackLater, siblingHandedBackBeforeARestart)
}

// manage makes a manager, as a server that starts does.
func (w *household) manage() {
	w.t.Helper()
	w.m = workspace.NewManager(workspace.Config{
		Rows: w.rows, Runtime: w.Runtime, Doors: w.Hub, Sessions: w, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Prepare: func(_ context.Context, row workspace.Workspace, _ workspace.Say) (workspace.Prepared, error) {
			return workspace.Prepared{Setup: agentapi.Setup{Name: row.Name, Author: agentapi.Author{Name: "Dana", Mail: "dana@contoso.example"}}}, nil
		},
		Timeout: func(workspace.Workspace) time.Duration { return time.Hour },
		InUse:   func(identity.WorkspaceID) bool { return false },
	})
	if err := w.m.Load(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.m.Run(ctx); close(done) }()
	w.end = sync.OnceFunc(func() { cancel(); <-done })
}

// clear deletes the workspace and what stands beside it.
func (w *household) clear() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.m.Want(ctx, w.of.ID, workspace.WantDeleted, audit.Event{Time: time.Now(), Action: "test"}); err != nil && problem.KindOf(err) != problem.NotFound {
		w.t.Error(err)
	}
	w.until(w.of.ID, "")
	w.end()
	if left, err := w.Runtime.List(ctx); err != nil || len(left) > 0 {
		w.t.Errorf("left: %+v, %v", left, err)
	}
}

func (w *household) ForWorkspace(context.Context, identity.SessionID, identity.WorkspaceID, identity.ProjectID) (identity.SessionID, error) {
	return "s-workspace", nil
}

func (w *household) Ensure(_ context.Context, id identity.SessionID, _ identity.UserID, _ identity.WorkspaceID, _ identity.ProjectID) (identity.SessionID, error) {
	return id, nil
}

func (w *household) EndSession(_ context.Context, id identity.SessionID, why string, _ ...audit.Event) session.Ended {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, already := w.ended[id]; !already { // as with sessions themselves: what is kept and tried again ends nothing anew
		w.ended[id] = why
	}
	return session.Ended{}
}

func (w *household) until(id identity.WorkspaceID, phase workspace.Phase) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("the workspace is %q", phase), func() bool {
		row, ok := w.m.Get(id)
		return ok && row.Phase == phase || !ok && phase == ""
	})
}

func (w *household) eventually(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("in vain: %s", what)
		}
	}
}

func (w *household) sibling(shared bool) workspace.Sibling {
	w.t.Helper()
	s, err := w.m.StartSibling(runtimetest.Context(w.t), workspace.SiblingOrder{
		Of: w.of.ID, Session: identity.NewSessionID(), Agent: "tidy", Grant: identity.NewGrantID(), Shared: shared,
	}, nil)
	if err != nil {
		w.t.Fatalf("start: %v: %s", err, problem.Message(err))
	}
	return s
}

// The story of one sibling: what it finds, what it does, and how that comes back.
func siblingStory(t *testing.T, w *household) {
	w.Shell(t, w.of.ID, `cd /workspace/api && echo changed > src/one.txt && echo new > src/untracked.txt && echo noise > build.log && git config core.hooksPath /tmp && echo at home > ~/private`)
	w.Shell(t, w.of.ID, "cd /workspace/api && git remote add origin https://dana:hunter2@git.example.test/api.git")
	status := w.Shell(t, w.of.ID, "cd /workspace/api && git status --porcelain && git diff && ls -l .git/index")
	s := w.sibling(false)
	if got := w.Shell(t, s.ID, "pwd; cat src/one.txt src/untracked.txt; git branch --show-current; git status --porcelain; ls"); got != "/workspace/api\nchanged\nnew\nmain\nsrc" {
		t.Errorf("the copy holds %q", got)
	}
	if got := w.Shell(t, s.ID, "ls -A ~/private /workspace/api/build.log 2>/dev/null; git config --get core.hooksPath; echo $LANYARD_AGENT; git config user.name"); got != "tidy\ntidy (AI agent of Dana)" {
		t.Errorf("the sibling has %q", got)
	}
	if got := w.Shell(t, s.ID, "git remote get-url origin; grep -r hunter2 . || true"); got != "https://git.example.test/api.git" {
		t.Errorf("its remote is %q", got)
	}
	w.Shell(t, s.ID, `echo two > src/two.txt && git add . && git commit -q -m "two more" && echo three > src/three.txt && echo closed > closed.txt && chmod 0 closed.txt && rm src/untracked.txt && (setsid sleep 1000 >/dev/null 2>&1 &)`)
	got, err := w.m.HandBack(runtimetest.Context(t), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got.Branch, "agent/tidy/") || !strings.Contains(got.Stat, "src/two.txt") || !strings.Contains(got.Diff, "+three") || !strings.Contains(got.Diff, "-new") || got.Cut {
		t.Errorf("handed back %+v", got)
	}
	if again, err := w.m.HandBack(runtimetest.Context(t), s.ID); err != nil || again != got {
		t.Errorf("the second time %+v, %v", again, err)
	}
	if after := w.Shell(t, w.of.ID, "cd /workspace/api && git status --porcelain && git diff && ls -l .git/index"); after != status {
		t.Errorf("the person's checkout changed:\n%s\nwas\n%s", after, status)
	}
	log := w.Shell(t, w.of.ID, "cd /workspace/api && git log --format='%an: %s' "+got.Branch+" && git show "+got.Branch+":src/three.txt && git fsck --strict 2>&1; git log -1 --format=%B "+got.Branch)
	if !strings.HasPrefix(log, "tidy (AI agent of Dana): Not committed by tidy\ntidy (AI agent of Dana): two more\nDana: Not committed yet in the workspace\nDana: first\nthree") || !strings.Contains(log, "could not be read: error: open(\"closed.txt\")") {
		t.Errorf("the branch is %s", log)
	}
	if err := w.m.EndSibling(runtimetest.Context(t), s.ID, "its command ended"); err != nil {
		t.Fatal(err)
	}
	if _, there := w.m.Sibling(s.ID); there || w.ended[s.Session] != "its command ended" {
		t.Errorf("there: %v, session: %q", there, w.ended[s.Session])
	}
	if left, _ := w.rows.LoadSiblings(t.Context()); len(left) > 0 {
		t.Errorf("left in the database: %+v", left)
	}
}

// Who changed nothing leaves no branch.
func siblingWithoutWork(t *testing.T, w *household) {
	s := w.sibling(false)
	w.Shell(t, s.ID, "cat src/one.txt; echo noise > x.log; mkfifo pipe")
	got, err := w.m.HandBack(runtimetest.Context(t), s.ID)
	if err != nil || got != (workspace.Handed{}) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := w.m.EndSibling(runtimetest.Context(t), s.ID, "done"); err != nil {
		t.Fatal(err)
	}
	if got := w.Shell(t, w.of.ID, "cd /workspace/api && git branch --list 'agent/*'"); got != "" {
		t.Errorf("branches %s", got)
	}
}

// What is too long to show comes back all the same.
func siblingWithMuchWork(t *testing.T, w *household) {
	s := w.sibling(false)
	w.Shell(t, s.ID, "seq 1 60000 > many.txt && seq 1 100 | while read n; do echo $n > $n.txt; done")
	got, err := w.m.HandBack(runtimetest.Context(t), s.ID)
	if err != nil || !got.Cut || len(got.Diff) != agentapi.MaxDiff || !strings.Contains(got.Stat, "101 files changed") {
		t.Errorf("%d bytes of difference, cut: %v, %v, %s", len(got.Diff), got.Cut, err, got.Stat)
	}
	if got := w.Shell(t, w.of.ID, "cd /workspace/api && git show "+got.Branch+":many.txt | tail -1"); got != "60000" {
		t.Errorf("the branch has %q", got)
	}
	if err := w.m.EndSibling(runtimetest.Context(t), s.ID, "done"); err != nil {
		t.Fatal(err)
	}
}

// A copy is made of what there is: history that was cut off, a checked-out commit, objects of another format.
func siblingOfAnUnusualCheckout(t *testing.T, w *household) {
	for what, script := range map[string]string{
		"shallow":  `git init -q /tmp/far && cd /tmp/far && for n in 1 2 3; do echo $n > f; git add f; git -c user.name=x -c user.email=x@x commit -q -m $n; done; cd /workspace && rm -rf api && git -c protocol.allow=always clone -q --depth 1 file:///tmp/far api`,
		"detached": `cd /workspace/api && git checkout -q --detach && echo more > more`,
		"sha256":   `cd /workspace && rm -rf api && git init -q --object-format=sha256 api && cd api && echo a > a && git add a && git -c user.name=x -c user.email=x@x commit -q -m a`,
		"unborn":   `cd /workspace && rm -rf api && git init -q api && echo a > api/a`,
	} {
		w.Shell(t, w.of.ID, script)
		s := w.sibling(false)
		w.Shell(t, s.ID, "git fsck 2>&1 && echo done > done")
		got, err := w.m.HandBack(runtimetest.Context(t), s.ID)
		if err != nil || !strings.Contains(got.Stat, "1 file changed") {
			t.Errorf("%s: %+v, %v", what, got, err)
			continue
		}
		w.Shell(t, w.of.ID, "cd /workspace/api && git fsck 2>&1 && git show "+got.Branch+":done")
		if err := w.m.EndSibling(runtimetest.Context(t), s.ID, "done"); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What a sibling leaves is looked at by nobody's Git with the person's rights, and checked as a push is.
func siblingWorkRunsNothing(t *testing.T, w *household) {
	// The person's own configuration has what a hostile tree could trigger.
	w.Shell(t, w.of.ID, `cd /workspace/api && printf '#!/bin/sh\ntouch /tmp/ran-hook\n' | tee .git/hooks/reference-transaction .git/hooks/post-checkout .git/hooks/post-merge >/dev/null && chmod +x .git/hooks/* &&
		git config diff.evil.command 'touch /tmp/ran-diff; true' && git config diff.evil.textconv 'touch /tmp/ran-textconv; cat' && git config diff.external 'touch /tmp/ran-external; true' &&
		git config filter.evil.clean 'touch /tmp/ran-filter; cat' && git config filter.evil.smudge 'touch /tmp/ran-smudge; cat' && rm -f /tmp/ran-*`)
	s := w.sibling(false)
	w.Shell(t, w.of.ID, "rm -f /tmp/ran-*")
	w.Shell(t, s.ID, `printf '* diff=evil filter=evil\n' > .gitattributes && printf 'x\033]0;owned\007\n' > evil.txt && git config core.fsmonitor /bin/false`)
	got, err := w.m.HandBack(runtimetest.Context(t), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(got.Diff+got.Stat, "\x1b\x07") || !strings.Contains(got.Diff, "owned") {
		t.Errorf("the difference is shown as %q", got.Diff)
	}
	if ran := w.Shell(t, w.of.ID, "ls /tmp/ran-* 2>/dev/null || true"); ran != "" {
		t.Errorf("ran: %s", ran)
	}
	if got := w.Shell(t, w.of.ID, "cd /workspace/api && ls -A; git branch --show-current"); strings.Contains(got, "evil") || !strings.HasSuffix(got, "main") {
		t.Errorf("the checkout is %s", got)
	}
}

// What another server would refuse of a push is refused here; it is kept, and its person told.
func siblingWithHostileObjects(t *testing.T, w *household) {
	for what, script := range map[string]string{
		"a .git in a tree":                    `b=$(echo x | git hash-object -w --stdin) && t=$(printf '100644 blob %s\tconfig\n' $b | git mktree) && t=$(printf '040000 tree %s\t.git\n' $t | git mktree --missing) && git update-ref HEAD $(git commit-tree $t -p HEAD -m evil) && git config core.protectHFS false && git read-tree --empty && rm -rf src .gitignore`,
		"an option for a submodule's address": `printf '[submodule "x"]\n\tpath = x\n\turl = -u./payload\n' > .gitmodules && git add . && git commit -q -m evil`,
	} {
		s := w.sibling(false)
		w.Shell(t, s.ID, script)
		if got, err := w.m.HandBack(runtimetest.Context(t), s.ID); err == nil {
			t.Errorf("%s came back as %+v", what, got)
		} else if problem.KindOf(err) != problem.BadUpstream {
			t.Errorf("%s: %v", what, err)
		}
		if err := w.m.EndSibling(runtimetest.Context(t), s.ID, "done"); err == nil || !strings.Contains(problem.Message(err), "kept") {
			t.Errorf("%s: %v", what, err)
		}
		if kept, _ := w.m.Sibling(s.ID); kept.Kept == "" {
			t.Errorf("%s: not kept: %+v", what, kept)
		}
	}
	if got := w.Shell(t, w.of.ID, "cd /workspace/api && git branch --list 'agent/*'; find .git/objects -name 'tmp_*'"); got != "" {
		t.Errorf("what was refused left %s", got)
	}
}

// A folder that is a repository by its look alone comes back as the files it is; the person's Git does not take it for one.
func siblingWithARepositoryInside(t *testing.T, w *household) {
	s := w.sibling(false)
	w.Shell(t, w.of.ID, "rm -f /tmp/ran-*; mkdir /workspace/api/.git/objects/tmp_objdir-lanyard-stale") // that an agent which was killed left
	w.Shell(t, s.ID, `mkdir -p docs/x/objects docs/x/refs && cd docs/x && touch objects/keep refs/keep && echo ref: refs/heads/main > HEAD &&
		printf '[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = ..\n\tfsmonitor = "touch /tmp/ran-fsmonitor; false"\n' > config`)
	got, err := w.m.HandBack(runtimetest.Context(t), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	said := w.Shell(t, w.of.ID, "cd /workspace/api && git checkout -q "+got.Branch+" && cd docs/x && ls config && git status 2>&1; ls /tmp/ran-* 2>/dev/null; cd /workspace/api && git checkout -q main && find .git/objects -name 'tmp_*'")
	if !strings.HasPrefix(said, "config\nfatal: cannot use bare repository") || !strings.Contains(said, "safe.bareRepository") || strings.Contains(said, "ran-") || strings.Contains(said, "tmp_") {
		t.Errorf("%s", said)
	}
	if err := w.m.EndSibling(runtimetest.Context(t), s.ID, "done"); err != nil {
		t.Error(err)
	}
}

// A sibling's boundary is a workspace's: neither finds anything of the other, by file, socket, process or network.
func siblingAndWorkspaceAreApart(t *testing.T, w *household) {
	w.Shell(t, w.of.ID, "echo secret > ~/private; echo secret > /tmp/private; (setsid sleep 4242 >/dev/null 2>&1 &)")
	a, b := w.sibling(false), w.sibling(false)
	for _, from := range []identity.WorkspaceID{a.ID, b.ID} {
		for what, script := range map[string]string{
			"home":      "cat ~/private /tmp/private",
			"processes": "grep -l 424[2] /proc/[0-9]*/cmdline",
			"sockets":   "find / -xdev -type s 2>/dev/null | grep -v '^/run/workspace\\|^/run/lanyard/lanyard.sock$'",
		} {
			if r := w.Exec(t, from, "/bin/sh", "-c", script); r.Code == 0 {
				t.Errorf("%s: %s", what, r.Output)
			}
		}
	}
	states := map[int]bool{}
	for _, id := range []identity.WorkspaceID{w.of.ID, a.ID, b.ID} {
		s, err := readState(filepath.Join(filepath.Dir(w.Harness.Sockets), "sandbox", "w", id.Label()))
		if err != nil {
			t.Fatal(err)
		}
		states[s.UID] = true
	}
	if os.Geteuid() == 0 && len(states) != 3 {
		t.Errorf("users of the host: %v", states)
	}
	if w.Hub.Status(a.ID).Start == w.Hub.Status(w.of.ID).Start {
		t.Error("one agent for both")
	}
	for _, one := range []identity.WorkspaceID{w.of.ID, a.ID, b.ID} {
		w.speaksFor(t, one, w.of.ID, a.ID, b.ID)
	}
	w.refusesOthers(t, a.ID, w.of.ID)
	w.refusesOthers(t, w.of.ID, a.ID)
	for _, id := range []identity.WorkspaceID{a.ID, b.ID} {
		if err := w.m.EndSibling(runtimetest.Context(t), id, "done"); err != nil {
			t.Error(err)
		}
	}
}

// speaksFor tries to pass for another from within one, through its agent and at its socket as if it were an agent.
func (w *household) speaksFor(t *testing.T, id identity.WorkspaceID, others ...identity.WorkspaceID) {
	t.Helper()
	forged := ""
	for _, o := range others {
		forged += fmt.Sprintf("Lanyard-Workspace: %s\\r\\nX-Workspace: %s\\r\\n", o, o)
	}
	for what, script := range map[string]string{
		"its agent": "curl -s -H 'Lanyard-Workspace: " + string(others[0]) + "' http://127.0.0.1:7070/git/x",
		"its socket": `perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(Peer => "/run/lanyard/lanyard.sock") or die $!;
			print $s "{\"protocol\":2,\"plain\":true}\n"; <$s>; print $s "GET /git/x HTTP/1.1\r\nHost: lanyard\r\n` + forged + `Connection: close\r\n\r\n"; while (<$s>) { $l = $_ } print $l'`,
	} {
		if got := w.Shell(t, id, script); got != string(id) {
			t.Errorf("%s speaks for %q through %s", id, got, what)
		}
	}
}

// refusesOthers tries the socket of one with the host's user of another, as a process would that broke out of its files.
func (w *household) refusesOthers(t *testing.T, user, of identity.WorkspaceID) {
	t.Helper()
	if os.Geteuid() != 0 {
		return // one user for all: what keeps them apart is that no other's socket is there
	}
	s, err := readState(filepath.Join(filepath.Dir(w.Harness.Sockets), "sandbox", "w", user.Label()))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("curl", "-sS", "--max-time", "5", "--unix-socket", filepath.Join(w.Harness.Sockets, of.Label(), tunnel.SocketName), "http://lanyard/git/x")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(s.UID), Gid: uint32(s.UID)}}
	if out, err := cmd.CombinedOutput(); err == nil || strings.Contains(string(out), string(of)) {
		t.Errorf("the user of %s at the socket of %s: %v %s", user, of, err, out)
	}
}

// A sibling that works on the workspace's own checkout has all else for itself.
func siblingThatShares(t *testing.T, w *household) {
	w.Shell(t, w.of.ID, "echo secret > ~/private; (setsid sleep 4242 >/dev/null 2>&1 &)")
	s := w.sibling(true)
	w.Shell(t, s.ID, "echo shared > src/shared.txt")
	if got := w.Shell(t, w.of.ID, "cd /workspace/api && cat src/shared.txt && echo back >> src/shared.txt"); got != "shared" {
		t.Errorf("%q", got)
	}
	if r := w.Exec(t, s.ID, "/bin/sh", "-c", "cat ~/private || grep -l 424[2] /proc/[0-9]*/cmdline"); r.Code == 0 {
		t.Errorf("it sees %s", r.Output)
	}
	if err := w.m.EndSibling(runtimetest.Context(t), s.ID, "done"); err != nil {
		t.Fatal(err)
	}
	if got := w.Shell(t, w.of.ID, "cd /workspace/api && cat src/shared.txt; git branch --list 'agent/*'"); got != "shared\nback" {
		t.Errorf("afterwards %q", got)
	}
}

// A server that is started again ends the AI agents of the one before, and hands back what they did.
func siblingAfterARestart(t *testing.T, w *household) {
	s := w.sibling(false)
	w.Shell(t, s.ID, "echo left > left.txt; (setsid sleep 1000 >/dev/null 2>&1 &)")
	w.end()
	w.Restart(t)
	w.manage()
	w.eventually("the sibling has ended", func() bool { _, there := w.m.Sibling(s.ID); return !there })
	if got := w.Shell(t, w.of.ID, "cd /workspace/api && git show $(git branch --list 'agent/*' --format='%(refname)'):left.txt"); got != "left" {
		t.Errorf("handed back %q", got)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if why := w.ended[s.Session]; !strings.Contains(why, "server") {
		t.Errorf("its session ended: %q", why)
	}
}

// Each agent comes back to a server when it notices: the work of one that stands beside a workspace waits for the workspace's.
func siblingWhoseWorkspaceComesBackLater(t *testing.T, w *household) {
	s := w.sibling(false)
	w.Shell(t, s.ID, "echo late > late.txt")
	state, err := readState(filepath.Join(filepath.Dir(w.Harness.Sockets), "sandbox", "w", w.of.ID.Label()))
	if err != nil {
		t.Fatal(err)
	}
	w.end()
	if err := syscall.Kill(state.Process.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	goOn := sync.OnceFunc(func() { _ = syscall.Kill(state.Process.PID, syscall.SIGCONT) })
	defer goOn()
	w.Restart(t)
	w.manage()
	w.eventually("the sibling's agent is back", func() bool { return w.Hub.Connected(s.ID) })
	time.Sleep(100 * time.Millisecond) // what does not wait for the workspace fails meanwhile
	goOn()
	w.eventually("the sibling has ended", func() bool { _, there := w.m.Sibling(s.ID); return !there })
	if got := w.Shell(t, w.of.ID, "cd /workspace/api && git show $(git branch --list 'agent/*' --format='%(refname)'):late.txt"); got != "late" {
		t.Errorf("handed back %q", got)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if why := w.ended[s.Session]; !strings.Contains(why, "server") {
		t.Errorf("its session ended: %q", why)
	}
}

// A server that dies between the branch and its record makes no second one.
func siblingHandedBackBeforeARestart(t *testing.T, w *household) {
	s := w.sibling(false)
	w.Shell(t, s.ID, "echo once > once.txt")
	got, err := w.m.HandBack(runtimetest.Context(t), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.rows.SaveSibling(t.Context(), s); err != nil { // as it was before
		t.Fatal(err)
	}
	w.end()
	w.Restart(t)
	w.manage()
	w.eventually("the sibling has ended", func() bool { _, there := w.m.Sibling(s.ID); return !there })
	if all := w.Shell(t, w.of.ID, "cd /workspace/api && git branch --list 'agent/*' --format='%(refname:short)'"); all != got.Branch {
		t.Errorf("branches %q, want %q", all, got.Branch)
	}
}

// What cannot be handed back is kept, and comes when the workspace starts again.
func siblingWorkIsKept(t *testing.T, w *household) {
	s := w.sibling(false)
	w.Shell(t, s.ID, "echo kept > kept.txt")
	w.Shell(t, w.of.ID, "mv /workspace/api/.git /workspace/api/.away")
	err := w.m.EndSibling(runtimetest.Context(t), s.ID, "its time is over")
	if err == nil || !strings.Contains(problem.Message(err), "kept") {
		t.Fatalf("%v", err)
	}
	if o := w.m.Siblings(w.of.ID); len(o) != 1 || o[0].Kept == "" {
		t.Fatalf("%+v", o)
	}
	if _, err := w.m.HandBack(runtimetest.Context(t), s.ID); err == nil || w.Hub.Connected(s.ID) {
		t.Errorf("once more: %v, connected: %v", err, w.Hub.Connected(s.ID))
	}
	w.Shell(t, w.of.ID, "mv /workspace/api/.away /workspace/api/.git")
	for _, d := range []workspace.Desired{workspace.WantStopped, workspace.WantRunning} {
		if err := w.m.Want(t.Context(), w.of.ID, d, audit.Event{Time: time.Now(), Action: "test"}); err != nil {
			t.Fatal(err)
		}
		w.until(w.of.ID, map[workspace.Desired]workspace.Phase{workspace.WantStopped: workspace.Stopped, workspace.WantRunning: workspace.Running}[d])
	}
	w.eventually("the work is handed back", func() bool { return len(w.m.Siblings(w.of.ID)) == 0 })
	if got := w.Shell(t, w.of.ID, "cd /workspace/api && git show $(git branch --list 'agent/*' --format='%(refname)'):kept.txt"); got != "kept" {
		t.Errorf("handed back %q", got)
	}
}

// A workspace that stops takes along what stands beside it, its work first.
func siblingEndsWithItsWorkspace(t *testing.T, w *household) {
	s := w.sibling(false)
	w.Shell(t, s.ID, "echo work > work.txt")
	for _, d := range []workspace.Desired{workspace.WantStopped, workspace.WantRunning} {
		if err := w.m.Want(t.Context(), w.of.ID, d, audit.Event{Time: time.Now(), Action: "test"}); err != nil {
			t.Fatal(err)
		}
		w.until(w.of.ID, map[workspace.Desired]workspace.Phase{workspace.WantStopped: workspace.Stopped, workspace.WantRunning: workspace.Running}[d])
		if left := w.m.Siblings(w.of.ID); len(left) > 0 {
			t.Fatalf("left: %+v", left)
		}
	}
	if got := w.Shell(t, w.of.ID, "cd /workspace/api && git show $(git branch --list 'agent/*' --format='%(refname)'):work.txt"); got != "work" {
		t.Errorf("handed back %q", got)
	}
}

// Many at once beside one workspace, each with its own work. A hundred with the slow tests.
func manySiblings(t *testing.T, w *household) {
	n := 8
	if os.Getenv("LANYARD_SLOW") == "1" {
		n = 100
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			s, err := w.m.StartSibling(ctx, workspace.SiblingOrder{Of: w.of.ID, Session: identity.NewSessionID(), Agent: "many", Grant: identity.NewGrantID()}, nil)
			if err != nil {
				t.Errorf("start %d: %v", i, err)
				return
			}
			w.Shell(t, s.ID, fmt.Sprintf("echo %d > n.txt", i))
			if err := w.m.EndSibling(ctx, s.ID, "done"); err != nil {
				t.Errorf("end %d: %v", i, err)
			}
		})
	}
	all.Wait()
	got := strings.Fields(w.Shell(t, w.of.ID, `cd /workspace/api && for b in $(git branch --list 'agent/*' --format='%(refname)'); do git show $b:n.txt; done | sort -n | uniq`))
	if len(got) != n {
		t.Errorf("%d of %d came back", len(got), n)
	}
}
