package serve

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/test/harness"
)

// startNginx starts nginx with the configuration that Lanyard ships, on ports of this test.
func (i *installation) startNginx(port int) {
	i.Helper()
	files := i.certificate("nginx", pagesHost, "*."+workspaceDomain, "*."+appDomain)
	shipped, err := os.ReadFile("../../packaging/nginx.conf")
	if err != nil {
		i.Fatal(err)
	}
	text := string(shipped)
	for _, swap := range [][2]string{
		{"lanyard.example.com", pagesHost}, {"listen 443 ", fmt.Sprintf("listen 127.0.0.1:%d ", port)}, {"listen 80;", fmt.Sprintf("listen 127.0.0.1:%d;", harness.FreePort(i))},
		{"server 127.0.0.1:8080;", fmt.Sprintf("server 127.0.0.1:%d;", i.listen)}, {"/etc/lanyard/tls.pem", files.Cert}, {"/etc/lanyard/tls.key", files.Key},
	} {
		if !strings.Contains(text, swap[0]) {
			i.Fatalf("the shipped configuration has no %q", swap[0])
		}
		text = strings.ReplaceAll(text, swap[0], swap[1])
	}
	included := i.write("nginx/lanyard.conf", text)
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;"
	}
	main := i.write("nginx/nginx.conf", fmt.Sprintf(`daemon off; %s pid %s/pid; error_log stderr error; worker_processes 1;
events {}
http {
  access_log off; server_names_hash_bucket_size 128;
  client_body_temp_path %[2]s/body; proxy_temp_path %[2]s/proxy; fastcgi_temp_path %[2]s/f; uwsgi_temp_path %[2]s/u; scgi_temp_path %[2]s/s;
  include %[3]s;
}
`, user, i.in("nginx"), included))
	i.run("nginx", "-p", i.in("nginx"), "-e", "stderr", "-c", main)
	i.eventually("nginx listens", func() bool { return i.leaf(pagesHost) != nil })
}

// forging says that its requests come from elsewhere.
type forging struct{ http.RoundTripper }

func (f forging) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", "203.0.113.9, 127.0.0.1")
	r.Header.Set("X-Real-IP", "203.0.113.9")
	r.Header.Set("Forwarded", "for=203.0.113.9")
	return f.RoundTripper.RoundTrip(r)
}

// TestAttack04BehindNginx: behind nginx people sign in, clone and work in terminals; where they are is what nginx has seen,
// whatever they say; and what is cut closes through nginx too.
func TestAttack04BehindNginx(t *testing.T) {
	t.Parallel()
	harness.Need(t, "nginx")
	i := newInstallation(t)
	i.at(harness.FreePort(t))
	i.startNginx(i.port)
	i.start(i.configure("trusted_proxies: [127.0.0.1]"))
	const home = "127.0.0.2"
	person := i.person(i.authority.pool(), home)
	person.HTTP().Transport = forging{person.HTTP().Transport}
	ada := i.ada(person)
	ws := i.workspace(ada) // and so it was cloned
	terminal := i.terminal(person, ws)

	operator := remote.Socket(i.in("data/lanyard.sock"))
	defer operator.Close()
	for _, action := range []string{"signin", "workspace:open"} {
		i.eventually("the log has "+action, func() bool {
			page, err := operator.Audit(i.within(), api.AuditQuery{Action: action, Oldest: true})
			if err != nil || len(page.Items) == 0 {
				return false
			}
			if page.Items[0].IP != home {
				t.Fatalf("%s came from %q, not from %s", action, page.Items[0].IP, home)
			}
			return true
		})
	}
	if err := i.tenant.SetEnabled("ada", false); err != nil {
		t.Fatal(err)
	}
	select {
	case <-terminal.Ended():
	case <-time.After(harness.Wait):
		t.Fatal("the terminal goes on")
	}
	if code, reason, _ := terminal.End(); !strings.Contains(reason, "disabled") {
		t.Errorf("the terminal ended with %d %q", code, reason)
	}
	if _, err := ada.Workspaces(i.within()); err == nil {
		t.Error("a disabled user is still answered")
	}
}
