package gitproxy

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/identity"
)

const refRules = `    refs:
      - match: refs/heads/main
        force: maintainer
        delete: nobody
      - match: [refs/heads/release/*, refs/heads/hotfix-*]
        push: maintainer
        force: nobody
      - match: refs/tags/**
        create: developer
        force: nobody
        delete: maintainer
`

// TestRulesForRefs pushes with real Git, and reads what Git shows beside each ref.
func TestRulesForRefs(t *testing.T) {
	s := newSceneWith(t, refRules)
	ada, grace := newClient(t), newClient(t)
	ada.must("clone", "--quiet", s.serve(t, gatewaytest.Ada)+"/payments/api", "api")
	grace.must("clone", "--quiet", s.serve(t, gatewaytest.Grace)+"/payments/api", "api")
	ada.dir, grace.dir = ada.dir+"/api", grace.dir+"/api"
	upstream := func(ref string) string {
		out, _ := ada.try("--git-dir", s.root+"/payments/api.git", "rev-parse", "--verify", "--quiet", ref)
		return strings.TrimSpace(out)
	}
	commit := func(c *client, message string) string {
		c.must("commit", "--quiet", "--allow-empty", "-m", message)
		return c.must("rev-parse", "HEAD")
	}
	refused := func(c *client, why string, args ...string) {
		t.Helper()
		out, err := c.try(append([]string{"push"}, args...)...)
		t.Logf("git push %s\n%s", strings.Join(args, " "), out)
		if err == nil || !strings.Contains(out, "[remote rejected]") || !strings.Contains(out, why) {
			t.Errorf("git push %v was not refused with %q", args, why)
		}
	}

	head := commit(ada, "Forward")
	ada.must("push", "origin", "main") // the chain is in the pack
	if upstream("main") != head {
		t.Fatal("a push forward did not come to the upstream")
	}
	if n := len(s.Audit.Find(identity.RepoMaintain, audit.Denied)); n != 0 {
		t.Errorf("a push forward is %d denials in the audit log", n)
	}
	ada.must("reset", "--quiet", "--hard", "HEAD~2")
	other := commit(ada, "Sideways")
	refused(ada, "only maintainers may force it", "--force", "origin", "main")
	refused(ada, "nobody may delete it", "origin", ":main")
	if _, err := ada.try("--git-dir", s.root+"/payments/api.git", "cat-file", "-e", other); err == nil || upstream("main") != head {
		t.Errorf("main is at %s, and what was refused came to the upstream", upstream("main"))
	}
	// An amended commit has the parent of the old one.
	ada.must("reset", "--quiet", "--hard", head)
	ada.must("commit", "--quiet", "--amend", "--allow-empty", "-m", "Forward, in other words")
	refused(ada, "only maintainers may force it", "--force", "origin", "main")
	ada.must("reset", "--quiet", "--hard", other)
	// A merge of what is there moves forward, and so does a commit that the upstream has already.
	ada.must("push", "--quiet", "origin", "main:side")
	ada.must("merge", "--quiet", "-m", "Together", head)
	ada.must("push", "origin", "main:both")
	ada.must("push", "origin", "main:main")
	// Back again, to a commit that the upstream has: the pack is empty.
	refused(ada, "Fetch, and merge or rebase", "--force", "origin", "main~1:main")
	// A chain that leaves the pack at a commit of another branch.
	ada.must("checkout", "--quiet", "-b", "topic")
	commit(ada, "On a branch")
	ada.must("push", "--quiet", "origin", "topic")
	commit(ada, "On top of it")
	ada.must("push", "origin", "topic:main")

	refused(ada, "only maintainers may create it", "origin", "topic:release/1.0")
	refused(ada, "only maintainers may create it", "origin", "topic:hotfix-7")
	ada.must("push", "--quiet", "origin", "topic:release/1/0", "topic:hotfix/7") // a * stays within its segment
	ada.must("tag", "v1")
	ada.must("push", "--quiet", "origin", "v1")
	ada.must("tag", "-f", "v1", "HEAD~1")
	refused(ada, "nobody may force it", "--force", "origin", "v1")
	refused(ada, "only maintainers may delete it", "origin", ":v1")

	// One refused ref refuses the push.
	before := upstream("topic")
	commit(ada, "More")
	for _, flags := range [][]string{{}, {"--atomic"}} {
		refused(ada, "another ref of this push was refused; push refs/heads/topic alone", append(flags, "origin", "topic", "topic:release/1.0")...)
		if upstream("topic") != before {
			t.Error("a part of a push that was refused came to the upstream")
		}
	}

	grace.must("fetch", "--quiet")
	grace.must("push", "--quiet", "origin", "origin/topic:refs/heads/release/1.0")
	grace.must("checkout", "--quiet", "origin/main~1")
	forced := commit(grace, "Anew")
	grace.must("push", "--quiet", "--force", "origin", "HEAD:main")
	if upstream("main") != forced {
		t.Error("a maintainer's push by force did not come to the upstream")
	}
	refused(grace, "nobody may force it", "--force", "origin", "HEAD~3:release/1.0")
	grace.must("push", "--quiet", "origin", ":v1")

	if n := len(s.Audit.Find(identity.RepoMaintain, audit.Denied)); n == 0 {
		t.Error("no refusal is in the audit log")
	}
	for _, e := range s.Audit.Find(identity.RepoWrite, audit.Done) {
		if refs, ok := e.Detail["refs"].([]update); !ok || len(refs[0].Old) != 40 || len(refs[0].New) != 40 {
			t.Errorf("an event of a push has no old and new IDs: %v", e.Detail)
		}
	}
}

// TestRefusedPushIsReadToItsEnd: git reads the report when it has sent its pack.
func TestRefusedPushIsReadToItsEnd(t *testing.T) {
	s := newSceneWith(t, refRules)
	c := newClient(t)
	c.must("clone", "--quiet", s.serve(t, gatewaytest.Ada)+"/payments/api", "api")
	large := make([]byte, 12<<20)
	rand.Read(large)
	c.write("api/large.bin", large)
	c.must("-C", "api", "add", "large.bin")
	c.must("-C", "api", "commit", "--quiet", "-m", "Add a recording")
	out, err := c.try("-C", "api", "push", "origin", "main:release/2")
	t.Log(out)
	if err == nil || !strings.Contains(out, "[remote rejected] main -> release/2 (By the project's rules") || !strings.Contains(out, "remote: refs/heads/release/2: By the project's rules") {
		t.Error("git does not say why")
	}
}

// TestManyCommitsForward: commits are deltas in a pack, and more of them than the gateway looks at are no proof.
func TestManyCommitsForward(t *testing.T) {
	s := newSceneWith(t, refRules)
	c := newClient(t)
	c.must("clone", "--quiet", s.serve(t, gatewaytest.Ada)+"/payments/api", "api")
	for range 60 {
		c.must("-C", "api", "commit", "--quiet", "--allow-empty", "-m", strings.Repeat("The same words again and again, so that Git keeps a difference. ", 20))
	}
	c.must("-C", "api", "push", "--quiet", "origin", "main")
}
