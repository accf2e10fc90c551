package agent

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// egressServer is the server as the forward proxy sees it: it lets through to one address, and refuses the rest.
func egressServer(t *testing.T, allowed, leadsTo string) http.RoundTripper {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if target := r.Header.Get(agentapi.EgressTarget); r.URL.Path != agentapi.EgressPath || target != allowed {
			problem.Write(w, problem.New(problem.Denied, "Not allowed: nobody lists %s.\n\x1b[31m", target))
			return
		}
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", agentapi.EgressProtocol)
		out, err := net.Dial("tcp", leadsTo)
		if err != nil {
			return
		}
		defer out.Close()
		go func() { _, _ = io.Copy(out, buffered.Reader); out.Close() }()
		_, _ = io.Copy(conn, out)
	}))
	t.Cleanup(s.Close)
	address := s.Listener.Addr().String()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func TestForwardProxy(t *testing.T) {
	beyond := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s of %s", r.URL.Path, r.Host) }))
	t.Cleanup(beyond.Close)
	home, log := t.TempDir(), slog.New(slog.DiscardHandler)
	for _, allowed := range []string{"packages.example.test:80", "packages.example.test:443"} {
		e := newEgress(egressServer(t, allowed, beyond.Listener.Addr().String()), newRefusals(home, log), log)
		t.Cleanup(e.idle.CloseIdleConnections)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p := newProxy(http.NotFoundHandler(), e, l.Addr().(*net.TCPAddr).Port, log)
		go func() { _ = p.Serve(l) }()
		t.Cleanup(func() { p.Close() })
		via := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: l.Addr().String()}), DisableKeepAlives: true}
		if allowed == "packages.example.test:80" {
			resp, err := via.RoundTrip(get(t, "http://packages.example.test/x"))
			if err != nil {
				t.Fatal(err)
			}
			if b, _ := io.ReadAll(resp.Body); string(b) != "/x of packages.example.test" {
				t.Errorf("%q", b)
			}
			resp.Body.Close()
			resp, err = via.RoundTrip(get(t, "http://other.example.test/x"))
			if err != nil {
				t.Fatal(err)
			}
			if b, _ := io.ReadAll(resp.Body); !strings.Contains(string(b), "nobody lists other.example.test:80") || resp.Status != "403 Not allowed: nobody lists other.example.test:80.[31m" {
				t.Errorf("%s: %q", resp.Status, b)
			}
			resp.Body.Close()
			continue
		}
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", allowed)
		from := bufio.NewReader(conn)
		if resp, err := http.ReadResponse(from, &http.Request{Method: http.MethodConnect}); err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		fmt.Fprintf(conn, "GET /y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if b, _ := io.ReadAll(from); !strings.HasSuffix(string(b), "/y of a") {
			t.Errorf("%q", b)
		}
		if _, err := via.RoundTrip(get(t, "https://other.example.test/")); err == nil || !strings.Contains(err.Error(), "nobody lists other.example.test:443") {
			t.Errorf("CONNECT is refused with %v", err)
		}
	}
	kept, err := os.ReadFile(filepath.Join(home, refusalsFile))
	if err != nil || strings.Count(string(kept), "\n") != 2 || strings.Contains(string(kept), "\x1b") {
		t.Errorf("the log: %q, %v", kept, err)
	}
}

func get(t *testing.T, u string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, u, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestProgramsAreToldOfRegistries(t *testing.T) {
	a := &Agent{config: Config{Home: t.TempDir(), Listen: "127.0.0.1:7070"}, log: slog.New(slog.DiscardHandler)}
	s := agentapi.Setup{Env: map[string]string{"GOPROXY": "off", "A": "b"}, Egress: &agentapi.Egress{Proxy: true, Registries: []agentapi.RegistryPlan{
		{Name: "npm", Kind: "npm"}, {Name: "ours", Kind: "npm", Scope: "@contoso"}, {Name: "modules", Kind: "go", Scope: "example.com/*"}, {Name: "python", Kind: "pypi"},
	}}}
	env, err := a.writeToolConfig(*s.Egress)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"HTTPS_PROXY": "http://127.0.0.1:7070", "http_proxy": "http://127.0.0.1:7070", "no_proxy": "localhost,127.0.0.1,::1,.localhost",
		"GOPROXY": "http://127.0.0.1:7070/r/modules,https://proxy.golang.org,direct", "GONOSUMDB": "example.com/*",
	} {
		if env[name] != want {
			t.Errorf("%s=%s", name, env[name])
		}
	}
	for variable, want := range map[string]string{
		"NPM_CONFIG_GLOBALCONFIG": "registry=http://127.0.0.1:7070/r/npm/\n", "PIP_CONFIG_FILE": "index-url = http://127.0.0.1:7070/r/python/simple/\n",
		"APT_CONFIG": `Acquire::http::Proxy "http://127.0.0.1:7070";`,
	} {
		text, err := os.ReadFile(env[variable])
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %s, %v", variable, text, err)
		}
		if variable == "NPM_CONFIG_GLOBALCONFIG" && !strings.Contains(string(text), "@contoso:registry=http://127.0.0.1:7070/r/ours/\n") {
			t.Errorf("no scope: %s", text)
		}
	}
	if err := a.tellTools(&s); err != nil || s.Env["GOPROXY"] != "off" || s.Env["A"] != "b" || s.Env["HTTP_PROXY"] == "" {
		t.Errorf("what the setup says itself goes before: %v, %v", s.Env, err)
	}
	if _, err := a.writeToolConfig(agentapi.Egress{Registries: []agentapi.RegistryPlan{{Name: "a", Kind: "npm", Scope: "@x\nscript-shell=/tmp/x"}}}); err == nil {
		t.Error("a scope of two lines is written")
	}
}
