package gitproxy

import (
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/dev/gitserver"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
)

// TestUpstreamBehindNginx: many Git servers stand behind nginx, which cuts and gathers an answer in its own way.
func TestUpstreamBehindNginx(t *testing.T) {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed")
	}
	s := newSceneWith(t, refRules)
	if err := gitserver.SeedLarge(t.Context(), s.root, "payments/large", 8); err != nil {
		t.Fatal(err)
	}
	behind := httptest.NewServer(s.upstream)
	t.Cleanup(behind.Close)
	address := startNginx(t, nginx, behind.Listener.Addr().String())
	up := upstream.New(upstream.Config{Names: map[string]upstream.Address{"git.example.test": upstream.Address(address)}, Log: s.Log})
	t.Cleanup(up.Close)
	s.handler = New(Config{Access: s.Engine, Facts: s.Engine.Facts, Upstream: up, Log: s.Log})
	url := s.serve(t, gatewaytest.Ada)
	c := newClient(t)
	for i := range 3 {
		c.must("clone", "--quiet", "--bare", url+"/payments/large", fmt.Sprint("large", i))
	}
	c.must("clone", "--quiet", url+"/payments/api", "api")
	c.must("-C", "api", "commit", "--quiet", "--allow-empty", "-m", "Through nginx")
	c.must("-C", "api", "push", "--quiet", "origin", "main")
	c.must("-C", "api", "push", "--quiet", "origin", "main:side")
	c.must("-C", "api", "fetch", "--quiet")
}

func startNginx(t *testing.T, nginx, to string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	l.Close()
	dir := t.TempDir()
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;"
	}
	config := fmt.Sprintf(`daemon off; %s pid %s/pid; error_log stderr crit; worker_processes 1;
events {}
http {
  access_log off; client_max_body_size 0;
  client_body_temp_path %[2]s/body; proxy_temp_path %[2]s/proxy; fastcgi_temp_path %[2]s/f; uwsgi_temp_path %[2]s/u; scgi_temp_path %[2]s/s;
  server { listen %[3]s; location / { proxy_pass http://%[4]s; proxy_http_version 1.1; proxy_set_header Connection ""; } }
}
`, user, dir, address, to)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nginx, "-p", dir, "-e", "stderr", "-c", file)
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // the master ends its worker
		_ = cmd.Wait()
	})
	gatewaytest.Eventually(t, "nginx listens", func() bool {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return address
}
