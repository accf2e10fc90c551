package agent

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// What a prebuild made is all there in another workspace, which then follows the repository, and runs nothing twice.
func TestFoldedCheckoutIsTakenAndFollows(t *testing.T) {
	server, root := repositories(t, map[string]map[string]string{"api": {"one": "1", ".gitignore": "made\n"}})
	steps := []agentapi.Step{
		{Stage: onCreate, Parts: []agentapi.Part{{Shell: "mkdir made; echo made >made/file; ln -s file made/link; chmod 555 made"}}},
		{Stage: updateContent, Parts: []agentapi.Part{{Shell: "echo again >>../again"}}},
	}
	first := newWorld(t, server)
	s := setupOf(first, exampleHost+"api", "")
	s.Lifecycle, s.Prebuild = steps, true
	first.setup(s)
	folded, err := first.agent().Fold(testContext(t), agentapi.FoldOrder{Name: s.Name})
	if err != nil {
		t.Fatal(err)
	}
	var kept bytes.Buffer
	if _, err := kept.ReadFrom(folded); err != nil {
		t.Fatal(err)
	}
	folded.Close()
	newer := newerCommit(t, filepath.Join(root, "api"))

	second := newWorld(t, server)
	s = setupOf(second, exampleHost+"api", "main")
	s.Lifecycle = steps
	for range 2 { // the second finds it there
		if err := second.agent().Unfold(testContext(t), s.Name, bytes.NewReader(kept.Bytes())); err != nil {
			t.Fatal(err)
		}
	}
	second.setup(s)
	for script, want := range map[string]string{
		"cat made/link": "made", "stat -c %a made": "555", "cat ../again": "again", "git rev-parse HEAD": newer, "git status --porcelain": "",
		"git rev-parse --abbrev-ref HEAD@{upstream}": "origin/main", "cat two": "2",
	} {
		if _, out := second.exec(script); strings.TrimSpace(out) != want {
			t.Errorf("%s: %q", script, out)
		}
	}
}

// newerCommit adds a file to the branch main of a repository.
func newerCommit(t *testing.T, dir string) string {
	t.Helper()
	work := filepath.Join(t.TempDir(), "work")
	for _, args := range [][]string{
		{"clone", "-q", dir, work}, {"-C", work, "checkout", "-q", "-B", "main"}, {"-C", work, "rm", "-q", "one"}, nil,
		{"-C", work, "add", "."}, {"-C", work, "-c", "user.name=a", "-c", "user.email=a@example.test", "commit", "-q", "-m", "newer"},
		{"-C", work, "push", "-q", "origin", "main"},
	} {
		if args == nil {
			if err := os.WriteFile(filepath.Join(work, "two"), []byte("2"), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	out, err := exec.Command("git", "-C", work, "rev-parse", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// An archive that names what lies outside of the checkout is not taken, and leaves nothing.
func TestUnfoldStaysInside(t *testing.T) {
	outside := t.TempDir()
	for name, entries := range map[string][]tar.Header{
		"a name that leads out":  {{Name: "checkout/../../escaped", Typeflag: tar.TypeReg}},
		"another folder":         {{Name: "home/.profile", Typeflag: tar.TypeReg}},
		"through a link":         {{Name: "checkout/out", Typeflag: tar.TypeSymlink, Linkname: outside}, {Name: "checkout/out/escaped", Typeflag: tar.TypeReg}},
		"over what a link names": {{Name: "checkout/out", Typeflag: tar.TypeSymlink, Linkname: filepath.Join(outside, "escaped")}, {Name: "checkout/out", Typeflag: tar.TypeReg}},
		"a device":               {{Name: "checkout/null", Typeflag: tar.TypeChar}},
		"half an archive":        {{Name: "checkout/file", Typeflag: tar.TypeReg, Size: 10}},
	} {
		var archive bytes.Buffer
		w := tar.NewWriter(&archive)
		for _, h := range entries {
			h.Mode = 0o644
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
		}
		_ = w.Flush() // what is missing is the point
		dir := t.TempDir()
		if _, err := unfoldTree(dir, &archive); err == nil {
			t.Errorf("%s: taken", name)
		}
		if left, _ := os.ReadDir(outside); len(left) != 0 {
			t.Fatalf("%s: wrote %v", name, left)
		}
	}
}

// What ran while a prebuild was made leaves nothing that Git starts in the workspaces of others.
func TestAttack29AFoldedCheckoutBringsNothingThatGitStarts(t *testing.T) {
	server, root := repositories(t, map[string]map[string]string{"api": {"one": "1"}})
	poison := `touch ../made; for h in post-checkout reference-transaction post-merge; do printf '#!/bin/sh\ntouch /tmp/../'"$PWD"'/../hook\n' >.git/hooks/$h; chmod +x .git/hooks/$h; done
git config core.fsmonitor 'touch ../fsmonitor; false'; git config core.sshCommand 'touch ../ssh; false'; git config credential.helper '!touch ../helper'
git config filter.x.smudge 'touch ../smudge; cat'; git config filter.x.clean 'touch ../clean; cat'; mkdir -p .git/info; echo '* filter=x' >.git/info/attributes
git config core.pager 'touch ../pager'; git config include.path ../evil; echo /nowhere >.git/objects/info/alternates`
	first := newWorld(t, server)
	s := setupOf(first, exampleHost+"api", "")
	s.Lifecycle, s.Prebuild = []agentapi.Step{{Stage: onCreate, Parts: []agentapi.Part{{Shell: poison}}}}, true
	first.setup(s)
	if code, out := first.exec("test -e ../made && git config --file .git/config core.fsmonitor"); code != 0 {
		t.Fatalf("nothing is poisoned: %s", out)
	}
	folded, err := first.agent().Fold(testContext(t), agentapi.FoldOrder{Name: s.Name})
	if err != nil {
		t.Fatal(err)
	}
	defer folded.Close()
	var kept bytes.Buffer
	if _, err := kept.ReadFrom(folded); err != nil {
		t.Fatal(err)
	}
	newer := newerCommit(t, filepath.Join(root, "api"))
	second := newWorld(t, server)
	s = setupOf(second, exampleHost+"api", "main")
	if err := second.agent().Unfold(testContext(t), s.Name, &kept); err != nil {
		t.Fatal(err)
	}
	second.setup(s)
	second.exec("echo x >>two; git status; git diff; git checkout -- .; git fetch")
	if _, out := second.exec("git rev-parse HEAD"); strings.TrimSpace(out) != newer {
		t.Errorf("it did not follow: %s", out)
	}
	if _, out := second.exec("ls ..; ls -d .git/hooks .git/info/attributes .git/objects/info/alternates 2>/dev/null"); strings.TrimSpace(out) != s.Name {
		t.Errorf("beside the checkout is %q", out)
	}
}
