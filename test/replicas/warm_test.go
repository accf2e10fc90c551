package replicas

import (
	"context"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/dev/gitserver"
)

const warmProject = `project: payments
roles: {developer: [payments-engineers], maintainer: [payments-leads]}
repositories:
  - url: %s
    credential: {basic_file: %s}
`

// TestWarmPools: each replica makes workspaces ahead on its own machine, whoever leads; nobody gets one twice, and a replica that
// was killed leaves nothing that runs and nothing that is not made again.
func TestWarmPools(t *testing.T) {
	w := newWorld(t)
	project := fmt.Sprintf(warmProject, w.gitServer()+"/payments/api", w.write("keys/git", "lanyard:the-password-of-a-test"))
	wanted := project + "workspace: {warm: [{count: 2}]}\n"
	w.write("projects/payments.yaml", wanted)
	a, b := w.start("a", options{}), w.start("b", options{})
	t.Cleanup(func() { w.deleteAll(a) })
	first := append(a.warm(2), b.warm(2)...)

	people := []*remote.Remote{w.at(a, "ada"), w.at(a, "grace"), w.at(b, "barbara"), w.at(b, "ada")}
	got := make([]api.Workspace, len(people))
	var all sync.WaitGroup
	for i, p := range people {
		all.Go(func() {
			ws, err := p.CreateWorkspace(w.context(), api.Order{Repository: w.repository(project)})
			if err != nil {
				t.Error(err)
				return
			}
			if got[i], err = p.Follow(w.context(), ws.ID, func(api.Progress) {}); err != nil || got[i].Phase != "running" || !got[i].Warm {
				t.Errorf("%+v, %v", got[i], err)
			}
		})
	}
	all.Wait()
	var ids []string
	for _, ws := range got {
		ids = append(ids, strings.TrimPrefix(ws.ID, "w-"))
	}
	slices.Sort(ids)
	slices.Sort(first)
	if !slices.Equal(ids, first) {
		t.Errorf("%v were ready, and %v were taken", first, ids)
	}
	second := append(a.warm(2), b.warm(2)...)
	if slices.ContainsFunc(second, func(id string) bool { return slices.Contains(first, id) }) {
		t.Errorf("%v are back among %v", first, second)
	}

	// Killed, it leaves its own until it is there again; the other one's are taken and made meanwhile.
	b.end(syscall.SIGKILL)
	if n := w.rows(`SELECT COUNT(*) FROM warm_workspaces`); n != 4 {
		t.Errorf("%d are noted", n)
	}
	if err := people[0].ForceDeleteWorkspace(w.context(), got[0].ID); err != nil {
		t.Fatal(err)
	}
	ws, err := people[0].CreateWorkspace(w.context(), api.Order{Repository: w.repository(project)})
	if err != nil || !slices.Contains(second, strings.TrimPrefix(ws.ID, "w-")) {
		t.Errorf("%s: %v", ws.ID, err)
	}
	a.warm(2)
	b.run()
	if again := b.warm(2); slices.ContainsFunc(again, func(id string) bool { return slices.Contains(second, id) }) {
		t.Errorf("%v of %v are there still", again, second)
	}

	// Who loses the lead keeps its own, and who gets it makes no more.
	a.signal(stop)
	w.eventually("b takes over", b.leads)
	b.warm(2)
	a.signal(cont)
	w.eventually("a steps back", func() bool { return !a.leads() })
	before := append(a.warm(2), b.warm(2)...)
	w.write("projects/payments.yaml", strings.Replace(wanted, "count: 2", "count: 1", 1))
	if after := append(a.warm(1), b.warm(1)...); !slices.Contains(before, after[0]) || !slices.Contains(before, after[1]) {
		t.Errorf("%v became %v", before, after)
	}
	// A project that is no more has none, at neither.
	w.deleteAll(a)
	if err := os.Remove(filepath.Join(w.dir, "projects", "payments.yaml")); err != nil {
		t.Fatal(err)
	}
	a.warm(0)
	b.warm(0)
}

// deleteAll deletes all workspaces: a server that ends leaves them running.
func (w *world) deleteAll(r *replica) {
	w.Helper()
	w.eventually("all workspaces are deleted", func() bool {
		all, err := r.Operator.Workspaces(w.context())
		for _, ws := range all {
			if err := r.Operator.ForceDeleteWorkspace(w.context(), ws.ID); err != nil {
				w.Logf("delete %s: %v", ws.ID, err)
			}
		}
		return err == nil && len(all) == 0
	})
}

// repository is the address of the one repository of a project.
func (w *world) repository(project string) string {
	_, after, _ := strings.Cut(project, "url: ")
	url, _, _ := strings.Cut(after, "\n")
	return url
}

// warm waits until so many are ready at a replica and nothing else is there of any, and returns their labels.
func (r *replica) warm(n int) (labels []string) {
	w := r.w
	w.Helper()
	node, err := os.ReadFile(filepath.Join(r.data, "node"))
	if err != nil {
		w.Fatal(err)
	}
	w.eventually(fmt.Sprintf("%s has %d ready", r.name, n), func() bool {
		labels = nil
		projects, err := r.Operator.Projects(w.context())
		if err != nil {
			return false
		}
		ready := 0
		for _, p := range projects {
			for _, pool := range p.Warm {
				if ready += pool.Ready; pool.Making > 0 || pool.Message != "" {
					return false
				}
			}
		}
		taken, err := r.Operator.Workspaces(w.context())
		if err != nil {
			return false
		}
		folders, err := os.ReadDir(filepath.Join(r.data, "sandbox", "w"))
		if err != nil && !os.IsNotExist(err) {
			w.Fatal(err)
		}
		for _, f := range folders {
			if !slices.ContainsFunc(taken, func(ws api.Workspace) bool { return strings.TrimPrefix(ws.ID, "w-") == f.Name() }) {
				labels = append(labels, f.Name())
			}
		}
		return ready == n && len(labels) == n && w.rows("SELECT COUNT(*) FROM warm_workspaces WHERE node = '"+strings.TrimSpace(string(node))+"'") == n
	})
	return labels
}

// at is a sample user who signs in at a replica and comes by that one.
func (w *world) at(r *replica, user string) *remote.Remote {
	w.Helper()
	person := remote.As(w.signIn(r, user), w.url)
	w.Cleanup(person.Close)
	person.HTTP.CloseIdleConnections()
	person.HTTP.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", r.port))
	}
	return person
}

// gitServer is the address of a Git server with the sample repositories, that servers started from here trust.
func (w *world) gitServer() string {
	w.Helper()
	root := filepath.Join(w.dir, "git")
	for _, r := range gitserver.Samples() {
		if r.Name == "payments/api" {
			if err := gitserver.Seed(w.context(), root, r); err != nil {
				w.Fatal(err)
			}
		}
	}
	git, err := gitserver.New(gitserver.Config{
		Root: root, Hooks: filepath.Join(w.dir, "hooks"), LogFile: filepath.Join(w.dir, "git.log"), Log: slog.New(slog.DiscardHandler),
		Accept: gitserver.Password{User: "lanyard", Secret: "the-password-of-a-test"},
	})
	if err != nil {
		w.Fatal(err)
	}
	server := httptest.NewTLSServer(git)
	w.Cleanup(server.Close)
	cert := server.Certificate()
	w.TB.(*testing.T).Setenv("SSL_CERT_FILE", w.write("git.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))))
	return server.URL
}
