// Package signout tests single sign-out: what ends when somebody signs out at the tenant, and what does not.
package signout

import (
	"context"
	"html"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	payments = "https://git.example.test/payments/api"
	why      = "you signed out at the tenant"
	fetch    = "git ls-remote origin 2>&1"
)

// TestSingleSignOut signs out at the tenant in one browser. All that hangs below the sign-ins of that browser ends: the
// dashboard's session, terminals, apps' sites, what their workspaces may reach. Another browser of the same person goes on,
// as do others; workspaces' processes run on, and the next sign-in adopts them.
func TestSingleSignOut(t *testing.T) {
	w := harness.Start(t)
	leaving := w.As("ada")
	ws := w.Workspace("ada", payments)
	w.Must("ada", ws, fetch)
	w.Must("ada", ws, "nohup sleep 600 >/dev/null 2>&1 & echo $! > pid")
	terminal := w.Terminal("ada", ws)
	live := socket(t, w, leaving, app(t, w, leaving)+"live")
	events := stream(t, w, leaving, w.Info.URL+"/api/v1/leases/events")

	staying := w.SignIn("ada") // another browser, so another session at the tenant
	other := w.Workspace("ada", payments)
	stays := w.Terminal("ada", other)
	barbara := w.Workspace("barbara", payments)
	hers := w.Terminal("barbara", barbara)

	for _, frame := range atTheTenant(t, w, leaving) {
		resp, err := w.Browser().Visit(w.Context(), frame) // a frame of another site carries no cookie of Lanyard's
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Frame-Options") != "" || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "frame-ancestors http://tenant.localhost") {
			t.Errorf("%s: %s %v", frame, resp.Status, resp.Header)
		}
	}

	for what, ended := range map[string]<-chan string{"the WebSocket of an app": live, "the dashboard's events": events} {
		select {
		case said := <-ended:
			told(t, w, what, said)
		case <-w.Context().Done():
			t.Errorf("%s goes on", what)
		}
	}
	select {
	case <-terminal.Ended():
		_, reason, _ := terminal.End()
		told(t, w, "the terminal", reason)
	case <-w.Context().Done():
		t.Error("the terminal goes on")
	}
	if _, err := leaving.Me(w.Context()); remote.KindOf(err).Status() != http.StatusUnauthorized {
		t.Errorf("the dashboard's session: %v", err)
	}
	for name, address := range map[string]string{"the terminal's site": ws.Terminal, "the app's site": app(t, w, staying) + "whoami"} {
		resp, err := leaving.Browser.Visit(w.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if at := resp.Request.URL; !strings.HasPrefix(at.Host, "tenant.") && resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s is open: %s at %v", name, resp.Status, at.Host+at.Path)
		}
	}
	out, status := exec(t, w, staying, ws.ID, fetch)
	if status == 0 || !strings.Contains(out, why) {
		t.Errorf("the workspace reaches what its sign-in did: %d %s", status, out)
	}

	// The other sign-ins go on, and the workspace's processes.
	w.Must("ada", other, fetch)
	for name, x := range map[string]*harness.Terminal{"ada's other": stays, "barbara's": hers} {
		select {
		case <-x.Ended():
			_, reason, _ := x.End()
			t.Errorf("%s terminal ended: %s", name, reason)
		default:
		}
	}
	if out, status := exec(t, w, staying, ws.ID, "kill -0 $(cat pid)"); status != 0 {
		t.Errorf("a process of the workspace was ended: %s", out)
	}
	w.SignIn("ada")
	if out, status := exec(t, w, staying, ws.ID, fetch); status != 0 {
		t.Errorf("the next sign-in does not adopt the workspace: %s", out)
	}
}

// told checks that it was said why something ended: by its goodbye, or, since nobody waits long for a peer to take that, by
// the list of ended accesses.
func told(t *testing.T, w *harness.World, what, said string) {
	t.Helper()
	if strings.Contains(said, why) {
		return
	}
	t.Logf("%s ended without a goodbye: %q", what, said)
	l, err := w.Operator.Leases(w.Context(), "*")
	if err != nil || !slices.ContainsFunc(l.Ended, func(x api.Lease) bool { return x.UserName == "Ada Lovelace" && strings.Contains(x.Reason, why) }) {
		t.Errorf("%s ended with %q; the ended accesses are %+v (%v)", what, said, l.Ended, err)
	}
}

// atTheTenant signs out there, and returns the addresses that its page frames.
func atTheTenant(t *testing.T, w *harness.World, r *remote.Remote) (frames []string) {
	t.Helper()
	resp, err := r.Browser.Visit(w.Context(), strings.TrimSuffix(w.Info.Tenant.Issuer, "/v2.0")+"/oauth2/v2.0/logout")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`<iframe[^>]* src="([^"]*)"`).FindAllStringSubmatch(string(page), -1) {
		frames = append(frames, html.UnescapeString(m[1]))
	}
	if len(frames) == 0 || !strings.Contains(frames[0], "sid=") {
		t.Fatalf("the tenant tells nobody:\n%s", page)
	}
	return frames
}

// app is where browsers open the ledger, once the session was handed over to it.
func app(t *testing.T, w *harness.World, r *remote.Remote) string {
	t.Helper()
	projects, err := r.Projects(w.Context())
	if err != nil || len(projects) == 0 || len(projects[0].AppSites) == 0 {
		t.Fatalf("apps: %+v %v", projects, err)
	}
	q, err := http.NewRequestWithContext(w.Context(), http.MethodGet, projects[0].AppSites[0].URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Accept", "text/html")
	resp, err := r.Browser.HTTP().Do(q)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return projects[0].AppSites[0].URL
}

// socket holds a WebSocket open, and says why it was closed.
func socket(t *testing.T, w *harness.World, r *remote.Remote, address string) <-chan string {
	t.Helper()
	conn, _, err := r.Browser.WebSocket(w.Context(), "ws"+strings.TrimPrefix(address, "http"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	ended := make(chan string, 1)
	go func() {
		defer conn.CloseNow()
		for {
			if _, _, err := conn.Read(ctx); err != nil {
				ended <- err.Error() // with the reason of a close frame
				return
			}
		}
	}()
	return ended
}

// stream holds an answer open, and says what came last.
func stream(t *testing.T, w *harness.World, r *remote.Remote, address string) <-chan string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := r.Browser.HTTP().Do(q)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v %v", address, resp, err)
	}
	ended := make(chan string, 1)
	go func() {
		defer resp.Body.Close()
		all, _ := io.ReadAll(resp.Body) // it may be broken off after its last words
		ended <- string(all[max(0, len(all)-500):])
	}()
	return ended
}

func exec(t *testing.T, w *harness.World, r *remote.Remote, ws, line string) (string, int) {
	t.Helper()
	var out harness.Buffer
	status, err := r.Exec(w.Context(), ws, agentapi.ExecRequest{Argv: []string{"bash", "-c", line}}, agentapi.Streams{Stdout: &out, Stderr: &out})
	if err != nil {
		t.Fatalf("%q: %v\n%s", line, err, out.String())
	}
	return out.String(), status
}
