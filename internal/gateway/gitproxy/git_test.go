package gitproxy

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/identity"
)

func TestCloneFetchAndPush(t *testing.T) {
	for _, version := range []string{"0", "1", "2"} {
		t.Run("protocol "+version, func(t *testing.T) {
			s := newScene(t)
			url := s.serve(t, gatewaytest.Ada) + "/payments/api"
			c := newClient(t)
			c.env = append(c.env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=protocol.version", "GIT_CONFIG_VALUE_0="+version)

			c.must("clone", "--quiet", url, "api")
			if log := c.must("-C", "api", "log", "--format=%an %s"); !strings.Contains(log, "Grace Hopper Add amounts in minor units") {
				t.Errorf("the log is %q", log)
			}
			c.must("clone", "--quiet", "--depth=1", url+".git", "shallow")
			if n := c.must("-C", "shallow", "rev-list", "--count", "HEAD"); n != "1" {
				t.Errorf("a clone of depth 1 has %s commits", n)
			}

			c.write("api/new.txt", []byte("new\n"))
			c.must("-C", "api", "add", "new.txt")
			c.must("-C", "api", "commit", "--quiet", "-m", "Add a file")
			c.must("-C", "api", "push", "--quiet", "origin", "HEAD:main", "HEAD:refs/heads/again")
			head := c.must("-C", "api", "rev-parse", "HEAD")

			c.must("-C", "shallow", "fetch", "--quiet", "--unshallow", "origin", "main")
			if got := c.must("-C", "shallow", "rev-parse", "FETCH_HEAD"); got != head {
				t.Errorf("fetched %s, pushed %s", got, head)
			}
			c.must("-C", "api", "push", "--quiet", "origin", ":again")

			text, err := os.ReadFile(s.log)
			if err != nil {
				t.Fatal(err)
			}
			if want := "push payments/api refs/heads/again"; strings.Count(string(text), want) != 2 || !strings.Contains(string(text), ".."+head+" by lanyard") {
				t.Errorf("the upstream's log:\n%s", text)
			}
			pushes := s.Audit.Find(identity.RepoWrite, audit.Opened)
			var refs []update
			for _, e := range pushes {
				if list, ok := e.Detail["refs"].([]update); ok {
					refs = append(refs, list...)
				}
			}
			if len(refs) != 3 || refs[0].Name != "refs/heads/main" || refs[0].New != head || refs[2].New != strings.Repeat("0", 40) {
				t.Errorf("the audit log has the refs %+v", refs)
			}
			gatewaytest.Eventually(t, "the lease ends", func() bool { return len(s.Engine.LeasesOf(gatewaytest.User(gatewaytest.Ada))) == 0 })
		})
	}
}

func TestPushOfTwentyMegabytes(t *testing.T) {
	s := newScene(t)
	c := newClient(t)
	c.must("clone", "--quiet", s.serve(t, gatewaytest.Ada)+"/payments/api", "api")
	large := make([]byte, 21<<20)
	rand.Read(large)
	c.write("api/large.bin", large)
	c.must("-C", "api", "add", "large.bin")
	c.must("-C", "api", "commit", "--quiet", "-m", "Add a recording")
	c.must("-C", "api", "push", "--quiet")
	head := c.must("-C", "api", "rev-parse", "HEAD")
	if got := c.must("--git-dir", s.root+"/payments/api.git", "rev-parse", "main"); got != head {
		t.Errorf("the upstream has %s, pushed was %s", got, head)
	}
	c.must("--git-dir", s.root+"/payments/api.git", "fsck")
}

func TestViewerReadsAndMayNotPush(t *testing.T) {
	s := newScene(t)
	c := newClient(t)
	c.must("clone", "--quiet", s.serve(t, gatewaytest.Linus)+"/payments/api", "api")
	c.must("-C", "api", "commit", "--quiet", "--allow-empty", "-m", "Try")
	out, err := c.try("-C", "api", "push")
	t.Log(out)
	if err == nil {
		t.Fatal("a viewer pushed")
	}
	if !strings.Contains(out, "remote: ") || !strings.Contains(out, "viewer") || strings.Contains(out, "Username") {
		t.Errorf("git says:\n%s", out)
	}
	if n := len(s.Audit.Find(identity.RepoWrite, audit.Denied)); n != 1 {
		t.Errorf("the audit log has %d denials", n)
	}
}

func TestStrangerCannotTellAbsentFromForbidden(t *testing.T) {
	s := newScene(t)
	c := newClient(t)
	url := s.serve(t, gatewaytest.Mallory)
	_, err := c.try("clone", url+"/payments/api")
	if err == nil {
		t.Fatal("a stranger cloned")
	}
	said := func(path string) string {
		out, _ := c.try("clone", url+path, "x")
		return strings.ReplaceAll(out, path[1:], "REPOSITORY")
	}
	forbidden, absent := said("/payments/api"), said("/payments/none")
	t.Log(forbidden)
	if forbidden != absent || !strings.Contains(forbidden, "There is no repository git.example.test/REPOSITORY here that you may use.") {
		t.Errorf("forbidden:\n%s\nabsent:\n%s", forbidden, absent)
	}
}

func TestCredentialThatStopsWorkingIsSaid(t *testing.T) {
	s := newScene(t)
	c := newClient(t)
	url := s.serve(t, gatewaytest.Ada) + "/payments/api"
	if err := os.WriteFile(s.secret, []byte("lanyard:an old password\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := c.try("clone", url)
	t.Log(out)
	if err == nil || !strings.Contains(out, "refused Lanyard's credential for the repository git.example.test/payments/api; an administrator has to renew it") {
		t.Errorf("git says:\n%s", out)
	}
	if err := os.Remove(s.secret); err != nil {
		t.Fatal(err)
	}
	if out, err = c.try("clone", url); err == nil || !strings.Contains(out, "Lanyard cannot use its credential") || strings.Contains(out, s.secret) {
		t.Errorf("git says:\n%s", out)
	}
	if err := os.WriteFile(s.secret, []byte("lanyard:"+password), 0o600); err != nil {
		t.Fatal(err)
	}
	c.must("clone", "--quiet", url)
}
