package gitread

import (
	"archive/tar"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/dev/gitserver"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

const url = "https://git.example.test/payments/api"

type scene struct {
	*gatewaytest.World
	reader *Reader
	git    string // the repository's folder at the upstream
}

func newScene(t testing.TB) *scene {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte("lanyard:correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &scene{git: filepath.Join(dir, "payments/api.git")}
	s.World = gatewaytest.New(t, "repositories:\n  - url: "+url+"\n    credential: {basic_file: "+secret+"}\n")
	server, err := gitserver.New(gitserver.Config{
		Root: dir, Hooks: filepath.Join(dir, "hooks"), LogFile: filepath.Join(dir, "log"),
		Accept: gitserver.Password{User: "lanyard", Secret: "correct horse"}, Log: s.Log,
	})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_700_000_000, 0)
	long := strings.Repeat("A line of a file that changes a little.\n", 200)
	seed := gitserver.Repository{Name: "payments/api", Commits: []gitserver.Commit{
		{Author: "Ada Lovelace <ada@contoso.example>", At: at, Message: "Begin", Files: map[string]string{
			"README.md": "api\n", ".gitpod.yml": "image: one\n", "docker/Dockerfile": "FROM base\n", "docker/a/b.txt": long, "long.txt": long,
		}},
		{Author: "Ada Lovelace <ada@contoso.example>", At: at, Message: "Other", Branch: "other", Files: map[string]string{".gitpod.yml": "image: two\n", "long.txt": long + "One more.\n"}},
		{Author: "Ada Lovelace <ada@contoso.example>", At: at, Message: "Large", Branch: "large", Files: map[string]string{".gitpod.yml": "#" + strings.Repeat("x", maxFile)}},
	}}
	if err := gitserver.Seed(t.Context(), dir, seed); err != nil {
		t.Fatal(err)
	}
	behind := httptest.NewServer(server)
	t.Cleanup(func() { behind.CloseClientConnections(); behind.Close() })
	up := upstream.New(upstream.Config{
		Names: map[string]upstream.Address{"git.example.test": upstream.Address(behind.Listener.Addr().String())}, Log: s.Log,
	})
	t.Cleanup(up.Close)
	s.reader = New(Config{Access: s.Engine, Facts: s.Engine.Facts, Upstream: up, Log: s.Log})
	return s
}

func (s *scene) run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", append([]string{"--git-dir", s.git}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (s *scene) open(t testing.TB, ref string) *Commit {
	t.Helper()
	c, err := s.reader.Open(t.Context(), Order{Principal: s.Workspace(gatewaytest.Ada), Repository: url, Ref: ref, Why: "a test"})
	if err != nil {
		t.Fatalf("open %q: %v", ref, err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestReadsSingleFiles(t *testing.T) {
	s := newScene(t)
	main := s.run(t, "rev-parse", "main")
	s.run(t, "update-ref", "refs/pull/7/head", s.run(t, "rev-parse", "other"))
	s.run(t, "-c", "user.name=a", "-c", "user.email=a@example.test", "tag", "-a", "-m", "One", "v1", "main")
	for ref, want := range map[string][2]string{
		"": {"refs/heads/main", "one"}, "main": {"refs/heads/main", "one"}, "other": {"refs/heads/other", "two"},
		"refs/pull/7/head": {"refs/pull/7/head", "two"}, "v1": {"refs/tags/v1", "one"}, main: {"", "one"},
	} {
		c := s.open(t, ref)
		text, err := c.Read(".gitpod.yml")
		if err != nil || string(text) != "image: "+want[1]+"\n" || c.Ref != want[0] {
			t.Errorf("%q: %q of %s, %v", ref, text, c.Ref, err)
		}
		if want[1] == "one" && c.ID != main {
			t.Errorf("%q is %s, not %s", ref, c.ID, main)
		}
	}
	pull, err := s.reader.Open(t.Context(), Order{Principal: s.Workspace(gatewaytest.Ada), Repository: url, Ref: "refs/pull/7/head", PreferBranch: true})
	if err != nil || pull.Ref != "refs/heads/other" {
		t.Error(pull, err)
	}
	pull.Close()
	c := s.open(t, "")
	if _, err := c.Read("docker/a/none"); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
	if _, err := c.Read("docker"); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
	if list, err := c.List("docker"); err != nil || len(list) != 2 || list[0].Name != "Dockerfile" || list[1].Mode != Folder {
		t.Error(list, err)
	}
	if _, err := s.reader.Open(t.Context(), Order{Principal: s.Workspace(gatewaytest.Ada), Repository: url, Ref: "nowhere"}); problem.KindOf(err) != problem.NotFound {
		t.Error(err)
	}
}

// TestReadsFolders: with differences between objects, as a server that has packed itself sends them.
// What is not there is told from what cannot be read.
func TestCheck(t *testing.T) {
	s := newScene(t)
	for ref, want := range map[string]string{
		"": "", "other": "", "refs/heads/main": "", strings.TrimSpace(s.run(t, "rev-parse", "other")): "",
		"nope": "There is no branch or tag nope in", "refs/heads/nope": "There is no branch nope in", "refs/pull/99/head": "There is no merge request 99 in",
		strings.Repeat("12", 20): "There is no commit 12121212",
	} {
		err := s.reader.Check(t.Context(), Order{Principal: s.Workspace(gatewaytest.Ada), Repository: url, Ref: ref})
		if want == "" && err != nil || want != "" && (problem.KindOf(err) != problem.NotFound || !strings.Contains(problem.Message(err), want)) {
			t.Errorf("%q: %v", ref, err)
		}
	}
	if err := os.Rename(s.git, s.git+".gone"); err != nil {
		t.Fatal(err)
	}
	err := s.reader.Check(t.Context(), Order{Principal: s.Workspace(gatewaytest.Ada), Repository: url})
	if problem.KindOf(err) != problem.NotFound || !strings.Contains(problem.Message(err), "does not have it") {
		t.Error("a repository that its host does not have:", err)
	}
}

// What is too large is named, with the bound, and is no fault of the Git server's.
func TestAFileThatIsTooLarge(t *testing.T) {
	_, err := newScene(t).open(t, "large").Read(".gitpod.yml")
	if problem.KindOf(err) != problem.Invalid || !strings.Contains(problem.Message(err), ".gitpod.yml in git.example.test/payments/api has more than 4 MiB") {
		t.Error(err)
	}
}

func TestReadsFolders(t *testing.T) {
	s := newScene(t)
	s.run(t, "repack", "-q", "-a", "-d", "-f")
	var out bytes.Buffer
	whole, err := s.open(t, "other").Whole("")
	if err != nil {
		t.Fatal(err)
	}
	if err := whole.Tar(&out); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got[h.Name] = len(content)
	}
	for name, size := range map[string]int{"docker/": 0, "docker/Dockerfile": 10, "docker/a/b.txt": 8000, "long.txt": 8010, ".gitpod.yml": 11} {
		if n, ok := got[name]; !ok || n != size {
			t.Errorf("%s: %d bytes, %v", name, n, ok)
		}
	}
}

// TestAttack30FilesAreReadByTheGatewaysRules: who may not read the repository reads no file of it, and what was read is in
// the log; a lease that is cut ends the reading.
func TestAttack30FilesAreReadByTheGatewaysRules(t *testing.T) {
	s := newScene(t)
	_, err := s.reader.Open(t.Context(), Order{Principal: s.Workspace(gatewaytest.Mallory), Repository: url})
	if err == nil {
		t.Fatal("a stranger reads the repository's files")
	}
	_, unknown := s.reader.Open(t.Context(), Order{Principal: s.Workspace(gatewaytest.Mallory), Repository: url + "x"})
	if unknown == nil || strings.ReplaceAll(problem.Message(unknown), "apix", "api") != problem.Message(err) {
		t.Errorf("a stranger tells %q from %q", problem.Message(err), problem.Message(unknown))
	}
	c := s.open(t, "")
	s.Leave()
	if _, err := c.Read(".gitpod.yml"); err == nil {
		t.Error("a file was read after the access had ended")
	}
	gatewaytest.Eventually(t, "the cut is in the audit log", func() bool { return len(s.Audit.Find(identity.RepoRead, audit.Cut)) > 0 })
}

func TestAttack30HostilePacks(t *testing.T) {
	tree := func(mode, name string) []byte { return append([]byte(mode+" "+name+"\x00"), make([]byte, 20)...) }
	for name, data := range map[string][]byte{
		"a parent": tree("100644", ".."), "a path": tree("100644", "a/b"), "Git's folder": tree("40000", ".GIT"), "a device": tree("060000", "sda"),
		"no name": tree("100644", ""), "cut": tree("100644", "a")[:10], "a backslash": tree("100644", `a\b`),
	} {
		if all, err := parseTree(data, 20); err == nil {
			t.Errorf("%s is taken: %v", name, all)
		}
	}
	for name, pack := range map[string]string{
		"nothing": "", "no pack": "PUCK\x00\x00\x00\x02\x00\x00\x00\x00", "cut": "PACK\x00\x00\x00\x02\x00\x00\x00\x05",
		"many":  "PACK\x00\x00\x00\x02\x00\x10\x00\x00" + strings.Repeat("\x30x\x9c\x03\x00\x00\x00\x00\x01", 1<<20),
		"large": "PACK\x00\x00\x00\x02\x00\x00\x00\x01\xbf\xff\xff\xff\x7fx", "offset": "PACK\x00\x00\x00\x02\x00\x00\x00\x01\x65\x05x",
	} {
		if _, err := readPack(strings.NewReader(pack), sha1Format(), maxFile); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// A folder that names one large file many times is small as it is fetched, and without end as a stream.
func TestAttack27FoldersThatRepeatAFile(t *testing.T) {
	blob, tree := strings.Repeat("b", 20), strings.Repeat("t", 20)
	var entries []byte
	for i := range 4 {
		entries = append(entries, "100644 "+string(rune('a'+i))+"\x00"+blob...)
	}
	hexed := func(s string) string { return hex.EncodeToString([]byte(s)) }
	whole := &Whole{id: hexed(tree), objects: map[string]object{
		hexed(tree): {treeKind, entries}, hexed(blob): {blobKind, make([]byte, maxFolder/3)},
	}}
	if err := whole.Tar(io.Discard); !errors.Is(err, errTooLarge) {
		t.Errorf("%v", err)
	}
}
