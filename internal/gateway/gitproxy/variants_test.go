package gitproxy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
)

// TestKindsOfCloneAndPush: what developers do with Git besides a plain clone, in each version of the protocol.
func TestKindsOfCloneAndPush(t *testing.T) {
	s := newSceneWith(t, refRules)
	up := filepath.Join(s.root, "payments/api.git")
	admin := newClient(t)
	admin.must("--git-dir", up, "config", "receive.advertisePushOptions", "true")
	admin.must("--git-dir", up, "config", "uploadpack.allowAnySHA1InWant", "true") // what partial clones fetch later
	url := s.serve(t, gatewaytest.Ada) + "/payments/api"
	for _, version := range []string{"0", "1", "2"} {
		t.Run("protocol "+version, func(t *testing.T) {
			c := newClient(t)
			c.env = append(c.env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=protocol.version", "GIT_CONFIG_VALUE_0="+version)
			c.must("clone", "--quiet", "--depth", "1", url, "shallow")
			if n := c.must("-C", "shallow", "rev-list", "--count", "HEAD"); n != "1" {
				t.Errorf("a shallow clone has %s commits", n)
			}
			c.must("-C", "shallow", "commit", "--quiet", "--allow-empty", "-m", "From a shallow clone "+version)
			c.must("-C", "shallow", "push", "--quiet", "origin", "main") // the rule of main wants a proof
			c.must("-C", "shallow", "fetch", "--quiet", "--deepen", "2")
			c.must("-C", "shallow", "fetch", "--quiet", "--unshallow")
			for _, filter := range []string{"blob:none", "tree:0"} {
				dir := "partial-" + strings.ReplaceAll(filter, ":", "-")
				c.must("clone", "--quiet", "--no-checkout", "--filter="+filter, url, dir)
				missing := c.must("-C", dir, "rev-list", "--objects", "--missing=print", "--all")
				if !strings.Contains(missing, "?") {
					t.Errorf("a clone without %s misses nothing", filter)
				}
				c.must("-C", dir, "checkout", "--quiet", "main") // fetches what it needs
			}
			c.must("-C", "shallow", "push", "--quiet", "--atomic", "--push-option=ci.skip", "origin", "main:a"+version, "main:b"+version)
			c.must("-C", "shallow", "commit", "--quiet", "--allow-empty", "-m", "With options "+version)
			c.must("-C", "shallow", "push", "--quiet", "--push-option=one", "--push-option=two", "origin", "main")
			c.must("-C", "shallow", "-c", "http.postBuffer=2000000", "ls-remote", "--quiet", "origin")
			c.must("clone", "--quiet", "--single-branch", "--branch", "refunds", url, "one")
			c.must("-C", "one", "fetch", "--quiet", "--tags", "--prune", "origin")
		})
	}
	c := newClient(t)
	c.must("--git-dir", up, "fsck")
}

// TestSHA256Repository: objects have longer names, and a rule that wants a proof finds it in them.
func TestSHA256Repository(t *testing.T) {
	s := newSceneWith(t, refRules)
	c := newClient(t)
	up := filepath.Join(s.root, "payments/api.git")
	if err := os.RemoveAll(up); err != nil {
		t.Fatal(err)
	}
	c.must("init", "--quiet", "--bare", "--object-format=sha256", "--initial-branch=main", up)
	c.must("init", "--quiet", "--object-format=sha256", "--initial-branch=main", "work")
	c.dir += "/work"
	c.must("remote", "add", "origin", s.serve(t, gatewaytest.Ada)+"/payments/api")
	for _, message := range []string{"One", "Two", "Three"} {
		c.must("commit", "--quiet", "--allow-empty", "-m", message)
		c.must("push", "--quiet", "origin", "main")
	}
	c.must("push", "--quiet", "origin", "main:side")
	c.must("commit", "--quiet", "--amend", "--allow-empty", "-m", "Other words")
	if out, err := c.try("push", "--force", "origin", "main"); err == nil || !strings.Contains(out, "only maintainers may force it") {
		t.Errorf("git says:\n%s", out)
	}
	c.must("reset", "--quiet", "--hard", "origin/main~1")
	c.must("push", "--quiet", "origin", "main:back")
	if out, err := c.try("push", "--force", "origin", "main"); err == nil || !strings.Contains(out, "only maintainers may force it") {
		t.Errorf("git says:\n%s", out)
	}
	c.must("push", "--quiet", "origin", "origin/main:back") // forward, by the upstream's own history
}
