package gitread

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
)

func TestParentsAreThoseOfGit(t *testing.T) {
	s := newScene(t)
	git := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "git", append([]string{"--git-dir", s.git, "-c", "user.name=a", "-c", "user.email=a@example.test"}, args...)...).Output()
		if err != nil {
			t.Fatalf("git %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	merge := git("commit-tree", "-m", "parent "+strings.Repeat("0", 40), "-p", "main", "-p", "other", "main^{tree}")
	git("update-ref", "refs/heads/merged", git("commit-tree", "-m", "on", "-p", merge, "main^{tree}"))
	c, err := s.reader.Open(t.Context(), Order{Principal: s.Workspace(gatewaytest.Ada), Repository: url, Ref: "merged"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	all, err := c.Parents(50)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for line := range strings.SplitSeq(git("rev-list", "--parents", "merged"), "\n") {
		id, parents, _ := strings.Cut(line, " ")
		want[id] = parents
	}
	if len(all) != len(want) {
		t.Errorf("%d commits of %d", len(all), len(want))
	}
	for id, parents := range want {
		if strings.Join(all[id], " ") != parents {
			t.Errorf("%s: %v, not %s", id, all[id], parents)
		}
	}
	if near, err := c.Parents(1); err != nil || len(near) != 1 {
		t.Errorf("one generation: %v %v", near, err)
	}
	branches, byDefault, err := s.reader.Branches(t.Context(), Order{Principal: s.Workspace(gatewaytest.Ada), Repository: url})
	if err != nil || byDefault != "refs/heads/main" || branches["refs/heads/merged"] != c.ID || branches["HEAD"] != "" || len(branches) < 3 {
		t.Errorf("%v %q %v", branches, byDefault, err)
	}
}
