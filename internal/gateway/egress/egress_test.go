package egress

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// outside is a world with a host at which TLS, HTTP and another protocol are spoken.
type outside struct {
	*gatewaytest.World
	roots *x509.CertPool
	names map[string]upstream.Address
	gate  *Gate
	mu    sync.Mutex
	told  []agentapi.Refusal
}

// host is the one that test servers have a certificate for.
const host = "example.com"

func newOutside(t *testing.T) *outside {
	t.Helper()
	o := &outside{roots: x509.NewCertPool(), World: gatewaytest.New(t,
		`workspace: {egress: ["`+host+`", "*.example.com", "`+host+`:7000", "`+host+`:8080", localhost, "169.254.169.254", gone.example.test]}`+"\n")}
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s for %s%s", r.Method, r.RequestURI, r.Host, r.Header.Get("Upgrade"))
	})
	secure, plain := httptest.NewTLSServer(answer), httptest.NewServer(answer)
	o.roots.AddCert(secure.Certificate())
	t.Cleanup(secure.Close)
	t.Cleanup(plain.Close)
	greeter, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { greeter.Close() })
	go func() {
		for {
			c, err := greeter.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.WriteString(c, "welcome\n")
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	at := func(l net.Addr) upstream.Address { return upstream.Address(l.String()) }
	o.names = map[string]upstream.Address{
		host + ":443": at(secure.Listener.Addr()), host + ":80": at(plain.Listener.Addr()), host + ":8080": at(plain.Listener.Addr()),
		host + ":7000": at(greeter.Addr()), "sub.example.com:443": at(secure.Listener.Addr()),
	}
	up := upstream.New(upstream.Config{Log: o.Log, Names: o.names})
	t.Cleanup(up.Close)
	o.gate = New(Config{Access: o.Engine, Upstream: up, Log: o.Log, Tell: func(_ identity.WorkspaceID, one agentapi.Refusal) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.told = append(o.told, one)
	}})
	return o
}

func (o *outside) server(t *testing.T, as identity.Principal) *httptest.Server {
	t.Helper()
	return o.Serve(t, as, web.Route{Path: gateway.EgressPath, Access: web.Asks("egress:connect"), Serve: o.gate.Serve})
}

// wasTold waits until the workspace's log was told something.
func (o *outside) wasTold(t *testing.T, what string) {
	t.Helper()
	gatewaytest.Eventually(t, "told "+what, func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return slices.ContainsFunc(o.told, func(one agentapi.Refusal) bool { return strings.Contains(one.Why, what) })
	})
}

// connect asks for a connection as an agent does. It returns the connection, or the refusal's status and words.
func connect(t *testing.T, s *httptest.Server, target string) (net.Conn, int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: lanyard\r\nConnection: Upgrade\r\nUpgrade: %s\r\n%s: %s\r\n\r\n",
		agentapi.EgressPath, agentapi.EgressProtocol, agentapi.EgressTarget, target)
	from := bufio.NewReader(conn)
	resp, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return &client{Conn: conn, from: from}, resp.StatusCode, ""
	}
	var d struct{ Detail string }
	if err := json.NewDecoder(resp.Body).Decode(&d); err != nil {
		t.Fatal(err)
	}
	return nil, resp.StatusCode, d.Detail
}

// open is connect where it is to work.
func open(t *testing.T, s *httptest.Server, target string) net.Conn {
	t.Helper()
	conn, status, why := connect(t, s, target)
	if conn == nil {
		t.Fatalf("%s: %d %s", target, status, why)
	}
	return conn
}

func TestWhatIsListedIsReached(t *testing.T) {
	o := newOutside(t)
	s := o.server(t, o.Workspace(gatewaytest.Ada))
	t.Run("TLS", func(t *testing.T) {
		c := tls.Client(open(t, s, host+":443"), &tls.Config{ServerName: host, RootCAs: o.roots})
		fmt.Fprintf(c, "GET /pkg HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
		all, err := io.ReadAll(c)
		if err != nil || !strings.Contains(string(all), "GET /pkg for "+host) {
			t.Errorf("%q, %v", all, err)
		}
	})
	t.Run("HTTP, several requests", func(t *testing.T) {
		c := open(t, s, strings.ToUpper(host)+":80")
		from := bufio.NewReader(c)
		for _, path := range []string{"/a", "/b%2fc?x=%zz"} {
			fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host)
			resp, err := http.ReadResponse(from, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			if string(body) != "GET "+path+" for "+host {
				t.Errorf("%q", body)
			}
		}
	})
	t.Run("a server that speaks first", func(t *testing.T) {
		c := open(t, s, host+":7000")
		from := bufio.NewReader(c)
		if line, err := from.ReadString('\n'); err != nil || line != "welcome\n" {
			t.Fatalf("%q, %v", line, err)
		}
		_, _ = io.WriteString(c, "hello\n")
		if line, err := from.ReadString('\n'); err != nil || line != "hello\n" {
			t.Errorf("%q, %v", line, err)
		}
	})
}

func TestWhatIsNotListedIsRefusedWithTheReason(t *testing.T) {
	o := newOutside(t)
	s := o.server(t, o.Workspace(gatewaytest.Ada))
	for _, c := range []struct {
		to     string
		status int
		says   string
	}{
		{"other.example.test:443", 403, "the project payments does not list other.example.test:443 under workspace.egress in payments.yaml"},
		{host + ":22", 403, "does not list " + host + ":22"},
		{"localhost:443", 403, "is a private address"},
		{"169.254.169.254:80", 403, "is an address that is never dialled"},
		{"127.1:80", 400, "is not a host and a port"},
		{"gone.example.test:443", 502, "cannot be resolved"},
	} {
		_, status, why := connect(t, s, c.to)
		if status != c.status || !strings.Contains(why, c.says) {
			t.Errorf("%s: %d %s", c.to, status, why)
		}
	}
	if len(o.Audit.Find(identity.EgressConnect, audit.Denied)) == 0 {
		gatewaytest.Eventually(t, "a denial in the audit log", func() bool { return len(o.Audit.Find(identity.EgressConnect, audit.Denied)) > 0 })
	}
	if _, status, why := connect(t, o.server(t, o.Workspace(gatewaytest.Mallory)), host+":443"); status != 404 {
		t.Errorf("without a role: %d %s", status, why)
	}
	if _, status, why := connect(t, o.server(t, o.Browser(gatewaytest.Ada)), host+":443"); status != 403 || !strings.Contains(why, "only workspaces") {
		t.Errorf("from elsewhere: %d %s", status, why)
	}
}

// An allowed host that fronts for others leads to none of them.
func TestAttack21FrontedHosts(t *testing.T) {
	o := newOutside(t)
	s := o.server(t, o.Workspace(gatewaytest.Ada))
	for name, says := range map[string]string{"evil.example.test": `names "evil.example.test"`, "": "names no host"} {
		c := tls.Client(open(t, s, host+":443"), &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err := c.Handshake(); err == nil {
			t.Errorf("a greeting for %q is passed on", name)
		}
		o.wasTold(t, says)
	}
	t.Run("no TLS at its port", func(t *testing.T) {
		c := open(t, s, host+":443")
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host)
		if all, _ := io.ReadAll(c); len(all) > 0 {
			t.Errorf("%q", all)
		}
		o.wasTold(t, "has to be TLS")
	})
	for _, port := range []string{"80", "8080"} {
		c := open(t, s, host+":"+port)
		from := bufio.NewReader(c)
		for _, asked := range []string{host + ":" + port, "evil.example.test", host + ":81", ""} {
			fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", asked)
			resp, err := http.ReadResponse(from, nil)
			if err != nil {
				t.Fatal(asked, err)
			}
			body, _ := io.ReadAll(resp.Body)
			if want := asked == host+":"+port; want != (resp.StatusCode == 200) {
				t.Errorf("at %s for %q: %d %s", port, asked, resp.StatusCode, body)
			}
		}
	}
}

// However a request begins, it is one, and goes on in no protocol whose requests nobody looks at.
func TestAttack21RequestsLookLikeNone(t *testing.T) {
	o := newOutside(t)
	s := o.server(t, o.Workspace(gatewaytest.Ada))
	for _, begin := range []string{"\r\nGET /", "\n\n\r\n GET /", "MKCOL /", "GET\t/", "SEARCH\t/", "get /", "A\x0b/", "M-SEARCH /" + strings.Repeat("x", 9000)} {
		if what, err := (&client{from: bufio.NewReader(strings.NewReader(begin + " HTTP/1.1\r\n"))}).speech(); what != inHTTP {
			t.Errorf("%.20q: %v, %v", begin, what, err)
		}
		for name, want := range map[string]bool{host: true, "evil.example.test": false} {
			c := open(t, s, host+":8080")
			fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", begin, name)
			all, _ := io.ReadAll(c)
			passed := strings.HasPrefix(string(all), "HTTP/1.1 200 ")
			if passed && !want || !passed && want && !strings.ContainsAny(begin, "\t\x0b") { // which Go's server refuses
				t.Errorf("%.20q for %s: %.200q", begin, name, all)
			}
		}
	}
	for _, up := range []string{"Upgrade: h2c", "Upgrade: websocket, h2c", "Upgrade: h2c\r\nUpgrade: websocket", "Upgrade: websocket"} {
		c := open(t, s, host+":80")
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n%s\r\n\r\n", host, up)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		if said := strings.TrimPrefix(string(body), "GET / for "+host); (up == "Upgrade: websocket") != (said == "websocket") || strings.Contains(said, "h2c") {
			t.Errorf("%q: %s", up, body)
		}
	}
	for _, raw := range []string{"SSH-2.0-x y\r\n", "*1\r\n", "0032git-upload-pack /x\x00", "\x00\x00", "hello\n", "EHLO there\r\n"} {
		if what, err := (&client{from: bufio.NewReader(strings.NewReader(raw))}).speech(); what != other || err != nil {
			t.Errorf("%q: %v, %v", raw, what, err)
		}
	}
}

// A connection ends when what allowed it does.
func TestConnectionsAreCut(t *testing.T) {
	o := newOutside(t)
	s := o.server(t, o.Workspace(gatewaytest.Ada))
	c := open(t, s, host+":7000")
	from := bufio.NewReader(c)
	if _, err := from.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if n := o.Leave(); n != 1 {
		t.Errorf("%d leases were cut", n)
	}
	if _, err := from.ReadString('\n'); err == nil {
		t.Error("the connection goes on")
	}
	o.wasTold(t, "you are no longer in the group payments-engineers")
	gatewaytest.Eventually(t, "the cut in the audit log", func() bool { return len(o.Audit.Find(identity.EgressConnect, audit.Cut)) == 1 })
}

// What is taken off the list is cut, like what a policy forbids from then on.
func TestAChangedListCuts(t *testing.T) {
	o := newOutside(t)
	s := o.server(t, o.Workspace(gatewaytest.Ada))
	listed, kept := open(t, s, host+":7000"), tls.Client(open(t, s, host+":443"), &tls.Config{ServerName: host, RootCAs: o.roots})
	if err := kept.Handshake(); err != nil {
		t.Fatal(err)
	}
	facts := o.Engine.Facts()
	p, _ := facts.Projects.ByName("payments")
	text := strings.Replace(gatewaytest.File(""), "project: payments", "project: payments\nworkspace: {egress: ["+host+"]}", 1)
	next, err := project.Parse(project.Input{Tenant: gatewaytest.Tenant, Revision: project.Revision{Number: 2, Projects: map[string]string{"payments.yaml": text}},
		Names: []project.Name{{Name: p.Name, ID: p.ID}}})
	if err != nil {
		t.Fatal(err)
	}
	if n := o.Engine.Publish(func(f access.Facts) access.Facts { f.Projects = next.Set; return f }, access.Touched{All: true}); n != 1 {
		t.Errorf("%d leases were cut", n)
	}
	if _, err := io.ReadAll(listed); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
	o.wasTold(t, "does not list "+host+":7000")
	fmt.Fprintf(kept, "GET /still HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
	if all, err := io.ReadAll(kept); err != nil || !strings.Contains(string(all), "/still") {
		t.Errorf("what is listed still: %q, %v", all, err)
	}
}

func TestAttack33ConnectionsAreBounded(t *testing.T) {
	o := newOutside(t)
	who := o.Workspace(gatewaytest.Ada)
	for range maxOpen {
		if _, err := o.gate.count(who.Session); err != nil {
			t.Fatal(err)
		}
	}
	if _, status, why := connect(t, o.server(t, who), host+":443"); status != 429 {
		t.Errorf("%d %s", status, why)
	}
}
