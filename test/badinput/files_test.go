package badinput

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/test/harness"
)

// edit replaces text in the payments project's file and gives back what was there.
func edit(t *testing.T, w *harness.World, old, new string) string {
	t.Helper()
	path := filepath.Join(w.Data, "projects", "payments.yaml")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), old) {
		t.Fatalf("%s has no %q", path, old)
	}
	write(t, path, strings.Replace(string(b), old, new, 1))
	return string(b)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestBrokenFiles breaks project and policy files under a running server: each is reported with its place, and what was
// in force stays in force.
func TestBrokenFiles(t *testing.T) {
	w := harness.Start(t)
	ws := w.Workspace("ada", payments)
	term := w.Terminal("ada", ws)
	project, policy := filepath.Join(w.Data, "projects", "payments.yaml"), filepath.Join(w.Data, "policies", "more.cedar")
	good, err := os.ReadFile(project)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		breaks func()
		says   []string // in one line of the log
	}{
		"not YAML":     {func() { edit(t, w, "roles:", "roles: [") }, []string{"payments.yaml:"}},
		"unknown key":  {func() { edit(t, w, "roles:", "rolls:") }, []string{"payments.yaml:3:1", "rolls"}},
		"unknown role": {func() { edit(t, w, "  viewer:", "  reader:") }, []string{"payments.yaml:4:3", "reader"}},
		"a feature that is not built": {func() { edit(t, w, "    url: http://ledger", "    registry: x\n    url: http://ledger") },
			[]string{"payments.yaml:", "registry"}},
		"control characters":           {func() { edit(t, w, "payments/assets", "payments/as\\x07sets\"") }, []string{"payments.yaml:"}},
		"a host of nobody's":           {func() { edit(t, w, "https://git.example.test/payments/assets", "file:///etc/passwd") }, []string{"payments.yaml:", "https"}},
		"a password in a file's place": {func() { edit(t, w, "basic_file:", "basic:") }, []string{"payments.yaml:", "basic"}},
		"two files, one project":       {func() { write(t, filepath.Join(w.Data, "projects", "twice.yaml"), string(good)) }, []string{"twice.yaml:", "payments"}},
		"a policy that does not parse": {func() { write(t, policy, "permit (principal, action, resource") }, []string{"more.cedar:1:"}},
		"a policy of unknown things":   {func() { write(t, policy, `permit (principal in Team::"x", action, resource);`) }, []string{"more.cedar:1:", "Team"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(w.Log())
			c.breaks()
			finding := ""
			w.Eventually("the finding of "+name+" is in the log", func() bool {
				for line := range strings.Lines(w.Log()[before:]) {
					if strings.Contains(line, "stay as they were") {
						finding = line
					}
				}
				return finding != ""
			})
			t.Log(strings.TrimSpace(finding))
			hasWords(t, "the log", finding, c.says...)
			out := w.Must("ada", ws, "git ls-remote -q origin HEAD && curl -sf http://127.0.0.1:7070/r/ledger/whoami")
			hasWords(t, "the workspace meanwhile", out, "HEAD", "Ada Lovelace")
			write(t, project, string(good))
			for _, extra := range []string{policy, filepath.Join(w.Data, "projects", "twice.yaml")} {
				if err := os.Remove(extra); err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
			}
			w.Eventually("the files are good again", func() bool { return strings.Contains(w.Log()[before:], "good again") })
		})
	}
	select {
	case <-term.Ended():
		t.Error("the terminal was closed by a file that was not accepted")
	default:
	}
	t.Run("a start with a broken file", func(t *testing.T) {
		edit(t, w, "roles:", "rolls:")
		w.Stop()
		w.Run()
		hasWords(t, "the log", w.Log(), "payments.yaml:3:1")
		if projects, err := w.SignIn("ada").Projects(w.Context()); err != nil || len(projects) != 1 {
			t.Errorf("ada's projects: %v %v", projects, err)
		}
	})
}

// TestRenamedGroup: a role that is given to a group by its name is void when the name does not mean that group any more.
func TestRenamedGroup(t *testing.T) {
	w := harness.Start(t)
	tenant := w.Tenant()
	maintains := func() bool {
		me, err := w.As("grace").Me(w.Context())
		return err == nil && len(me.Projects) == 1 && me.Projects[0].Role == "maintainer"
	}
	w.Eventually("grace maintains payments", maintains)
	leads := tenant.Group("payments-leads")
	before := len(w.Log())
	tenant.Do(http.MethodPatch, "/groups/"+leads, map[string]string{"displayName": "payments-chiefs"}, nil)
	begun := time.Now()
	w.Eventually("the role is void", func() bool { return !maintains() })
	t.Logf("void after %v", time.Since(begun))
	w.Eventually("it is reported", func() bool {
		log := w.Log()[before:]
		return strings.Contains(log, "payments-leads") && strings.Contains(log, "payments.yaml:6:")
	})
	t.Logf("reported after %v", time.Since(begun))
	why := w.Lanyard("why", "repo:write", payments, "--user", "grace")
	hasWords(t, "why", why.Out, "deny", "Grace Hopper has no role in project payments")

	// Somebody else's group of the old name does not inherit it.
	var impostor struct{ ID string }
	tenant.Do(http.MethodPost, "/groups", map[string]any{"displayName": "payments-leads", "mailEnabled": false, "mailNickname": "x", "securityEnabled": true}, &impostor)
	tenant.Add(impostor.ID, tenant.User("mallory"))
	w.Eventually("mallory is in the group of that name", func() bool {
		me, err := w.As("mallory").Me(w.Context())
		for _, g := range me.Groups {
			if err == nil && g.Name == "payments-leads" {
				return true
			}
		}
		return false
	})
	if projects, err := w.As("mallory").Projects(w.Context()); err != nil || len(projects) != 0 {
		t.Errorf("mallory's projects: %v %v", projects, err)
	}
	tenant.Do(http.MethodDelete, "/groups/"+impostor.ID, nil, nil)
	tenant.Do(http.MethodPatch, "/groups/"+leads, map[string]string{"displayName": "payments-leads"}, nil)
	t.Logf("mallory after %v", time.Since(begun))
	w.Eventually("grace maintains payments again", maintains)
	t.Logf("again after %v", time.Since(begun))
}
