// Package secrets shows that no secret of a run gets into a workspace: a search inside it, as its user, for all of
// them in every form. The same search finds secrets that are planted.
package secrets

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/test/harness"
	"github.com/lanyardhq/lanyard/test/secrets/needle"
)

func TestMain(m *testing.M) { harness.Main(m) }

const who = "ada"

// The commands whose output is searched too: what Git stores, it compresses.
var commands = []string{
	"env",
	"git config --global --list --show-origin; git config --system --list --show-origin",
	"cd /workspace/api && git config --list --show-origin --show-scope",
	"cd /workspace/api && git cat-file --batch --batch-all-objects",
	"cd /tmp/legacy && git config --list --show-origin --show-scope && git cat-file --batch --batch-all-objects",
	"cd /workspace/api && git remote -v && git ls-remote && git credential fill </dev/null || true",
	"curl -sv http://127.0.0.1:7070/r/ledger/whoami",
	"GIT_TRACE_CURL=1 GIT_TRACE=1 git ls-remote https://legacy.example.test/payments/legacy",
	"ls -laR /run /proc/self/fd; cat /proc/net/unix /proc/keys 2>/dev/null; true",
}

func TestNoSecretInAWorkspace(t *testing.T) {
	w := harness.Start(t)
	k := newKnown(w)
	signInOnceMore(k)
	ws := work(k)
	k.atRest()
	k.inMemory()
	k.need("upstream password", "client secret", "encryption key", "signing key", "audit signing key", "refresh token", "access token",
		"assertion", "cookie __Host-lanyard", "cookie ESTSAUTH", "hand-off code", "authorization code", "sign-in state", "tenant's signing key")
	for _, kind := range slices.Sorted(maps.Keys(k.kinds)) {
		t.Logf("%3d × %s", k.kinds[kind], kind)
	}
	program := install(k, ws)

	report := search(k, ws, k.marks())
	t.Logf("searched as the workspace's user: %d files of %d bytes, memory of %d processes, %d bytes, what %d commands print, %d bytes",
		report.Files, report.FileBytes, len(report.Read), report.Memory, report.Commands, report.Said)
	for _, f := range report.Found {
		t.Errorf("%s is in %s", f.Name, f.Where)
	}
	if len(report.Read) < 3 || report.Files < 50 || report.Said < 1000 || len(report.SaidFailed) > 0 {
		t.Errorf("the search did not get around: %+v", report)
	}
	if !slices.Contains(report.Refused, 1) {
		t.Errorf("the agent's memory was not refused: %v", report.Refused)
	}
	t.Run("the agent itself", func(t *testing.T) { agentHasNone(t, k, program) })
	t.Run("logs and database", func(t *testing.T) { machineHasNoneInTheClear(t, k, program) })
	t.Run("planted", func(t *testing.T) { plantedAreFound(t, k, ws) })
}

// signInOnceMore has a browser of its own sign in under an eavesdropper, and stays signed in.
func signInOnceMore(k *known) {
	k.T.Helper()
	u, err := k.Info.User(who)
	if err != nil {
		k.T.Fatal(err)
	}
	b := k.Browser()
	k.listen(b.HTTP())
	if err := b.SignIn(k.Context(), k.Info.URL, u.Username, u.Password); err != nil {
		k.T.Fatal(err)
	}
	k.inMemory() // the ID token is forgotten soon
}

// work does what developers do, and leaves some of it going on.
func work(k *known) api.Workspace {
	k.T.Helper()
	ws := k.Workspace(who, "https://git.example.test/payments/api")
	person := k.As(who).Browser.HTTP()
	k.listen(person)
	term := k.Terminal(who, ws)
	k.cookies(person, k.Info.URL, k.Info.Tenant.Issuer, ws.Terminal)
	lines := []string{
		`cd /workspace/api && echo one >>one.txt && git add one.txt && git commit -qm "One" && git push origin HEAD`,
		`git clone https://legacy.example.test/payments/legacy /tmp/legacy`,
		`cd /tmp/legacy && echo two >>two.txt && git add two.txt && git commit -qm "Two" && git push origin HEAD`,
		`curl -s http://127.0.0.1:7070/r/ledger/entries -d '{"text":"three","amount_minor":3}'`,
		`curl -sN http://127.0.0.1:7070/r/ledger/watch >/tmp/watch &`,
		`(while sleep 0.1; do git -C /workspace/api ls-remote; git -C /tmp/legacy fetch; done) >/tmp/fetches 2>&1 &`,
		`python3 -c 'import time; time.sleep(1000)' 2>/dev/null || sleep 1000 &`,
		`echo all""-done`,
	}
	for _, line := range lines {
		if err := term.Type(line + "\n"); err != nil {
			k.T.Fatal(err)
		}
	}
	k.Eventually("the work in the terminal is done", func() bool { return strings.Contains(term.Output(), "all-done") })
	if !strings.Contains(term.Output(), "three") {
		k.T.Fatalf("the ledger did not take the entry:\n%s", term.Output())
	}
	for _, pushed := range [][2]string{{"git.log", "push payments/api "}, {"legacy.log", "push payments/legacy "}} {
		if log := string(k.file(pushed[0])); !strings.Contains(log, pushed[1]) {
			k.T.Fatalf("not pushed: %s\n%s\n%s", pushed[1], log, term.Output())
		}
	}
	k.Eventually("the stream flows", func() bool {
		out, _ := k.Exec(who, ws, "wc -c </tmp/watch; wc -c </tmp/fetches")
		sizes := strings.Fields(out)
		return len(sizes) == 2 && sizes[0] != "0" && sizes[1] != "0"
	})
	return ws
}

// install builds the searcher and brings it into the workspace by way of its agent.
func install(k *known, ws api.Workspace) (program string) {
	k.T.Helper()
	program = filepath.Join(k.T.TempDir(), "searcher")
	build := exec.Command("go", "build", "-o", program, "github.com/lanyardhq/lanyard/test/secrets/searcher")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		k.T.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(program)
	if err != nil {
		k.T.Fatal(err)
	}
	if out, code := withInput(k, ws, b, "cat >~/searcher && chmod +x ~/searcher"); code != 0 {
		k.T.Fatalf("%d %s", code, out)
	}
	return program
}

// withInput runs a shell line in the workspace with input.
func withInput(k *known, ws api.Workspace, input []byte, line string) (string, int) {
	k.T.Helper()
	var out, errs harness.Buffer
	code, err := k.As(who).Exec(k.Context(), ws.ID, agentapi.ExecRequest{Argv: []string{"bash", "-c", line}},
		agentapi.Streams{Stdin: bytes.NewReader(input), Stdout: &out, Stderr: &errs})
	if err != nil {
		k.T.Fatalf("%s: %v %s", line, err, errs.String())
	}
	return out.String() + errs.String(), code
}

// search looks for the marks inside the workspace.
func search(k *known, ws api.Workspace, marks []needle.Mark) (report needle.Report) {
	k.T.Helper()
	// /usr is the machine's own, read-only, and the same for all; /proc is looked at process by process.
	request, err := json.Marshal(needle.Request{
		Marks: marks, Roots: []string{"/"}, Skip: []string{"/usr", "/proc", "/sys"}, AllProcesses: true, Commands: commands,
	})
	if err != nil {
		k.T.Fatal(err)
	}
	out, code := withInput(k, ws, request, "~/searcher")
	if err := json.Unmarshal([]byte(out), &report); code != 0 || err != nil {
		k.T.Fatalf("the search ended with %d, %v: %s", code, err, out)
	}
	return report
}

// searchHere looks on the machine.
func searchHere(t *testing.T, program string, r needle.Request) (report needle.Report) {
	t.Helper()
	request, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Stdin = bytes.NewReader(request)
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &report)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, f := range report.Found {
		t.Errorf("%s is in %s", f.Name, f.Where)
	}
	return report
}

// agentHasNone looks into the agents' processes from outside, where they may be read: what passes through an agent
// carries no secret, so that nothing depends on its being undumpable.
func agentHasNone(t *testing.T, k *known, program string) {
	if os.Geteuid() != 0 {
		t.Skip("not root: the agent's memory cannot be read")
	}
	report := searchHere(t, program, needle.Request{Marks: k.marks(), Processes: below(t, k.Pid())})
	if len(report.Read) < 5 {
		t.Fatalf("only %v could be read", report.Read)
	}
	t.Logf("%d processes below the server, %d bytes", len(report.Read), report.Memory)
}

// below lists a process's descendants.
func below(t *testing.T, pid int) (all []int) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		b, _ := os.ReadFile(list) // a thread may have ended
		for _, f := range strings.Fields(string(b)) {
			var child int
			if _, err := fmt.Sscan(f, &child); err == nil {
				all = append(append(all, child), below(t, child)...)
			}
		}
	}
	return all
}

// machineHasNoneInTheClear looks into what the server writes: its log, the audit log, the database, the upstreams'
// logs, the workspaces' files as the machine keeps them.
func machineHasNoneInTheClear(t *testing.T, k *known, program string) {
	var events bytes.Buffer
	if err := k.Operator.ExportAudit(k.Context(), &events); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, text := range map[string]string{"server.log": k.Log(), "audit.ndjson": events.String()} {
		if len(text) == 0 {
			t.Errorf("%s is empty", name)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	report := searchHere(t, program, needle.Request{
		Marks: k.marks(), Roots: []string{folder, k.Data}, Skip: []string{filepath.Join(k.Data, "secrets"), filepath.Join(k.Data, "tenant")},
	})
	t.Logf("the server's log has %d bytes, the audit log %d; %d files of %d bytes", len(k.Log()), events.Len(), report.Files, report.FileBytes)
	for _, must := range []string{"server/lanyard.db", "git.log", "checkpoints"} {
		if _, err := os.Stat(filepath.Join(k.Data, must)); err != nil {
			t.Errorf("not searched: %v", err)
		}
	}
	for _, secret := range []string{"secrets", "secrets/legacy-git", "secrets/encryption.key", "tenant", "tenant/keys.json", "server/lanyard.db", "server/lanyard.db-wal", "lanyard.sock"} {
		info, err := os.Stat(filepath.Join(k.Data, secret))
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is not its owner's alone: %v", secret, info.Mode())
		}
	}
}

// plantedAreFound plants a secret in each place, one of its own each, and searches again.
func plantedAreFound(t *testing.T, k *known, ws api.Workspace) {
	var marks []needle.Mark
	plant := func(name, line string, shape func([]byte) string) {
		t.Helper()
		secret := make([]byte, 32)
		rand.Read(secret)
		text := base64.RawURLEncoding.EncodeToString(secret) // as passwords and tokens are
		m, err := needle.Marks(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		marks = append(marks, m...)
		if shape != nil {
			text = shape([]byte(text))
		}
		if out, code := withInput(k, ws, []byte(text), line); code != 0 {
			t.Fatalf("plant %s: %d %s", name, code, out)
		}
	}
	std := func(b []byte) string {
		return "user:" + base64.StdEncoding.EncodeToString(append([]byte("lanyard:"), b...))
	}
	file := func(path string) string { return "mkdir -p $(dirname " + path + ") && cat >" + path }
	plant("in a file", file("/workspace/planted"), nil)
	plant("in a hidden file of the home", file("~/.config/some/thing"), std)
	plant("in a file of /tmp", file("/tmp/x/y/z"), func(b []byte) string { return hex.EncodeToString(b) })
	plant("in a file of /run", file("/run/planted"), nil)
	plant("in shared memory", file("/dev/shm/planted"), nil)
	plant("in a file's name", "touch /tmp/$(cat)", nil)
	plant("in a commit", "cd /workspace/api && git -c user.name=x -c user.email=x@example.test commit -q --allow-empty -m \"$(cat)\"", nil)
	plant("in a Git setting", "cd /workspace/api && git config http.extraHeader \"Authorization: Basic $(cat)\"", std)
	plant("in a global Git setting", "git config --global credential.planted \"$(cat)\"", nil)
	plant("in an environment", "PLANTED=$(cat) setsid sleep 1000 >/dev/null 2>&1 &", nil)
	plant("in an argument", "setsid bash -c 'sleep 1000; true' \"$(cat)\" >/dev/null 2>&1 &", nil)
	plant("in a process's memory", "exec 3<&0; (read -r kept <&3; setsid -w sleep 1000; echo $kept) >/dev/null 2>&1 & sleep 0.2", func(b []byte) string { return string(b) + "\n" })

	want := map[string]string{
		"in a file": "the file /workspace/planted", "in a hidden file of the home": "the file /home/lanyard/.config/some/thing",
		"in a file of /tmp": "the file /tmp/x/y/z", "in a file of /run": "the file /run/planted", "in shared memory": "the file /dev/shm/planted",
		"in a file's name": "the name /tmp/", "in a commit": "what cd /workspace/api && git cat-file", "in a Git setting": "what cd /workspace/api && git config",
		"in a global Git setting": "what git config --global", "in an environment": "environ of process", "in an argument": "cmdline of process",
		"in a process's memory": "the memory of process",
	}
	report := search(k, ws, append(marks, k.marks()...))
	for name, where := range want {
		if !slices.ContainsFunc(report.Found, func(f needle.Found) bool {
			return strings.HasPrefix(f.Name, name+", ") && strings.HasPrefix(f.Where, where)
		}) {
			t.Errorf("what was planted %s was not found there", name)
		}
	}
	for _, f := range report.Found {
		planted, _, _ := strings.Cut(f.Name, ", ")
		if want[planted] == "" {
			t.Errorf("%s is in %s", f.Name, f.Where)
		}
	}
	t.Logf("%d places, found %d times", len(want), len(report.Found))
}
