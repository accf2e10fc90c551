package provisioning

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/store/storetest"
	"github.com/lanyardhq/lanyard/test/harness"
)

// clientFolder installs the client of testdata/client, whose parts others made, and returns where it is.
func clientFolder(t *testing.T) string {
	t.Helper()
	harness.Need(t, "node", "npm")
	if _, err := os.Stat("testdata/client/node_modules/.package-lock.json"); err == nil { // `make test` has installed them
		return "testdata/client"
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/client")); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		if os.Getenv("LANYARD_REQUIRE") == "all" {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
		t.Skipf("SKIP the client from npm: npm ci: %v\n%s", err, out)
	}
	return dir
}

type claimed struct {
	Step   string
	Users  map[string]bool     // object ID → active; false when it was deleted, too
	Groups map[string][]string // object ID → members
}

// TestAClientMadeByOthers provisions with scimmy and scim-patch from npm, which say by themselves what a PATCH gives.
func TestAClientMadeByOthers(t *testing.T) {
	dir := clientFolder(t)
	for name, database := range map[string]func() string{
		"sqlite": func() string { return "" }, "postgresql": func() string { return storetest.PostgreSQL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			people, groups := size(t)
			w := newWorld(t, organisation(people, groups), database())
			secret := w.bearer()
			to, err := url.Parse(w.url)
			if err != nil {
				t.Fatal(err)
			}
			// Names below localhost are not known to every resolver, so the client comes through here.
			proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, Transport: w.http.Transport})
			defer proxy.Close()
			cmd := exec.CommandContext(w.context(), "node", "client.mjs")
			cmd.Dir = dir
			var errs harness.Buffer
			cmd.Stderr = &errs
			cmd.Env = append(os.Environ(), "BASE="+proxy.URL+"/scim/v2", "TOKEN="+secret)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := in.Write(append(w.sent(), '\n')); err != nil {
				t.Fatal(err)
			}
			var steps []string
			lines := bufio.NewScanner(out)
			lines.Buffer(nil, 16<<20)
			for lines.Scan() {
				var c claimed
				if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
					t.Fatalf("the client says %s: %v", lines.Text(), err)
				}
				steps = append(steps, c.Step)
				w.is(c)
				if _, err := io.WriteString(in, "go on\n"); err != nil {
					t.Fatal(err)
				}
			}
			if err := cmd.Wait(); err != nil || !slices.Equal(steps, []string{"created", "changed", "disabled", "restored", "deleted"}) {
				t.Fatalf("the client ended after %v: %v\n%s", steps, err, errs.String())
			}
		})
	}
}

// sent are the people and groups of the tenant as the client takes them.
func (w *world) sent() []byte {
	w.Helper()
	people, teams := w.tenant.Users(), w.tenant.Groups()
	for i := range teams { // groups in groups are for the provisioning service
		teams[i].Members = slices.DeleteFunc(teams[i].Members, func(m string) bool { _, user := w.tenant.User(m); return !user })
	}
	text, err := json.Marshal(map[string]any{"people": people, "groups": teams})
	if err != nil {
		w.Fatal(err)
	}
	return text
}

// is waits until the directory is what the client claims.
func (w *world) is(c claimed) {
	w.Helper()
	end := time.Now().Add(harness.Wait)
	wrong := w.claimsDiffer(c)
	for ; len(wrong) > 0 && time.Now().Before(end); wrong = w.claimsDiffer(c) {
		time.Sleep(50 * time.Millisecond)
	}
	if len(wrong) > 0 {
		w.Fatalf("after %s, %d differences: %q", c.Step, len(wrong), wrong[:min(len(wrong), 5)])
	}
}

func (w *world) claimsDiffer(c claimed) (wrong []string) {
	users, err := w.Operator.DirectoryUsers(w.context())
	if err != nil {
		return []string{err.Error()}
	}
	direct := map[string][]string{}
	for group, members := range c.Groups {
		for _, m := range members {
			direct[m] = append(direct[m], group)
		}
	}
	there := map[string]bool{}
	for _, u := range users {
		there[u.Object] = true
		slices.Sort(direct[u.Object])
		if u.Active != c.Users[u.Object] || !slices.Equal(u.DirectGroups, direct[u.Object]) {
			wrong = append(wrong, fmt.Sprintf("%s: active %v in %v and not %v in %v", u.UserName, u.Active, u.DirectGroups, c.Users[u.Object], direct[u.Object]))
		}
	}
	for id := range c.Users {
		if !there[id] {
			wrong = append(wrong, id+" is not in the directory")
		}
	}
	groups, err := w.Operator.DirectoryGroups(w.context())
	if err != nil {
		return append(wrong, err.Error())
	}
	named := 0
	for _, g := range groups {
		if _, known := c.Groups[g.ID]; known {
			named++
		} else if g.AppRole == "" {
			wrong = append(wrong, "the group "+g.Name+" is still there")
		}
	}
	if named != len(c.Groups) {
		wrong = append(wrong, fmt.Sprintf("%d groups of %d", named, len(c.Groups)))
	}
	return wrong
}
