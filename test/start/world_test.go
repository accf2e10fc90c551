// Package start_test starts workspaces as their repositories' own files say: images, Dockerfiles, features, tasks, further repositories,
// merge requests and variables of a link.
package start_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	host = "https://git.example.test/"
	repo = "payments/api"
)

// world is a sample world whose repositories get files.
type world struct{ *harness.World }

// git runs Git on a repository of the sample Git server, with tree as its files.
func (w world) git(t *testing.T, tree string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Env = append(os.Environ(), "GIT_DIR="+filepath.Join(w.Data, "git", repo+".git"), "GIT_WORK_TREE="+tree, "GIT_INDEX_FILE="+filepath.Join(tree, ".index"),
		"GIT_CONFIG_NOSYSTEM=1", "HOME="+tree, "GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@contoso.example", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@contoso.example")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// object is what a path of a commit is; the zero mode is a file's.
type object struct {
	mode string // as Git writes it: 120000 is a symbolic link, 160000 a submodule
	text string // content, target of the link, or commit of the submodule
}

func link(to string) object { return object{mode: "120000", text: to} }

// commit puts files on a branch that begins at main without its .gitpod.yml, and returns the commit.
func (w world) commit(t *testing.T, branch string, files map[string]string) string {
	t.Helper()
	all := map[string]object{}
	for name, text := range files {
		all[name] = object{text: text}
	}
	return w.commitObjects(t, branch, all)
}

// commitObjects is commit for what is no file. It is one run of Git, by git-fast-import(1).
func (w world) commitObjects(t *testing.T, branch string, all map[string]object) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "reset refs/heads/%[1]s\n\ncommit refs/heads/%[1]s\ncommitter Ada <ada@contoso.example> 1767225600 +0000\ndata 25\nWhat the workspace is for\nfrom refs/heads/main^0\nD .gitpod.yml\n", branch)
	for name, o := range all {
		if o.mode == "160000" {
			fmt.Fprintf(&b, "M 160000 %s %s\n", o.text, quoted(name))
			continue
		}
		fmt.Fprintf(&b, "M %s inline %s\ndata %d\n%s\n", cmp.Or(o.mode, "100644"), quoted(name), len(o.text), o.text)
	}
	b.WriteString("done\n")
	cmd := exec.CommandContext(t.Context(), "git", "--git-dir", filepath.Join(w.Data, "git", repo+".git"), "fast-import", "--quiet", "--force", "--done")
	cmd.Stdin = strings.NewReader(b.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git fast-import: %v\n%s", err, out)
	}
	return w.git(t, t.TempDir(), "rev-parse", "refs/heads/"+branch)
}

// quoted is a path as git-fast-import(1) reads it, whatever it holds.
func quoted(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if c < ' ' || c == '"' || c == '\\' {
			fmt.Fprintf(&b, "\\%03o", c)
		} else {
			b.WriteByte(c)
		}
	}
	return `"` + b.String() + `"`
}

// begin orders a workspace and waits until it runs or will not; it ends with the test. The text is what was said meanwhile.
func (w world) begin(t *testing.T, o api.Order) (api.Workspace, string) {
	t.Helper()
	r := w.As("ada")
	ws, err := r.CreateWorkspace(w.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.ForceDeleteWorkspace(w.Context(), ws.ID); err != nil {
			t.Error(err)
		}
	})
	return w.follow(t, ws)
}

func (w world) follow(t *testing.T, ws api.Workspace) (api.Workspace, string) {
	t.Helper()
	var said []string
	ws, err := w.As("ada").Follow(w.Context(), ws.ID, func(p api.Progress) { said = append(said, p.Text) })
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(said, "\n")
	t.Logf("%s is %s %s\n%s", ws.ID, ws.Phase, ws.Message, text)
	return ws, text
}

// runs is begin for a workspace on a branch that has to run.
func (w world) runs(t *testing.T, branch string) api.Workspace {
	t.Helper()
	ws, _ := w.begin(t, api.Order{ContextURL: host + repo + "/tree/" + branch})
	if ws.Phase != "running" {
		t.Fatalf("%s does not run: %s", branch, ws.Message)
	}
	return ws
}

// says waits until a line in the workspace prints what is wanted.
func (w world) says(t *testing.T, ws api.Workspace, line, want string) {
	t.Helper()
	got := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var err error
		if got, _, err = w.TryExec(w.Context(), "ada", ws, line); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(got, want) {
			return
		}
	}
	t.Fatalf("%s says\n%s\nand not\n%s", line, got, want)
}

// sample is one of the files that the parsers are tested with, with texts in it replaced.
func sample(t *testing.T, path string, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "internal", "devfile", "testdata", path))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(string(text), replace[i]) {
			t.Fatalf("%s does not say %s", path, replace[i])
		}
	}
	return strings.NewReplacer(replace...).Replace(string(text))
}
