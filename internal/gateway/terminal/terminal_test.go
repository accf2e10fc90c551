package terminal

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/identity"
)

func TestTerminalIsAShellAndComesBack(t *testing.T) {
	s := newScene(t)
	server := s.serve(t, gatewaytest.Ada)
	conn, _, err := s.dial(t, server, "")
	if err != nil {
		t.Fatal(err)
	}
	send := func(conn *websocket.Conn, kind websocket.MessageType, text string) {
		t.Helper()
		if err := conn.Write(timeout(t), kind, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	send(conn, websocket.MessageText, `{"resize":{"cols":111,"rows":33}}`)
	send(conn, websocket.MessageText, `{"exit":0}`) // not the page's to say; it is dropped
	send(conn, websocket.MessageBinary, "stty size; echo first-$((40+2))\r")
	if shown := until(t, conn, "first-42"); !strings.Contains(shown, "33 111") {
		t.Errorf("the terminal showed %q", shown)
	}
	conn.CloseNow()
	gatewaytest.Eventually(t, "the lease ends", func() bool { return len(s.Engine.LeasesOf(s.ws.Owner)) == 0 })

	again, _, err := s.dial(t, server, "")
	if err != nil {
		t.Fatal(err)
	}
	until(t, again, "first-42") // the scrollback
	send(again, websocket.MessageBinary, "exit\r")
	if shown, closed := rest(t, again); closed.Code != websocket.StatusNormalClosure || !strings.Contains(shown, `{"exit":0}`) {
		t.Errorf("closed with %v after %q", closed, shown)
	}
	if n := len(s.Audit.Find(identity.WorkspaceOpen, audit.Opened)); n != 2 {
		t.Errorf("the audit log has %d openings", n)
	}
}

func TestCutIsToldInTheTerminal(t *testing.T) {
	s := newScene(t)
	conn, _, err := s.dial(t, s.serve(t, gatewaytest.Ada), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Write(timeout(t), websocket.MessageBinary, []byte("yes\r")); err != nil { // it writes without end
		t.Fatal(err)
	}
	until(t, conn, "y\r\ny")
	if n := s.Leave(); n != 1 {
		t.Fatalf("%d leases were cut", n)
	}
	shown, closed := rest(t, conn)
	if closed.Code != 4403 || !strings.Contains(closed.Reason, "payments-engineers") || len(closed.Reason) > 120 {
		t.Errorf("closed with %v", closed)
	}
	if !strings.HasSuffix(shown, "\x1b[0m\r\n") || !strings.Contains(shown, "\r\n\x1b[31mLanyard closed this terminal: you are no longer in the group payments-engineers") {
		t.Errorf("the terminal ended with %q", shown[max(0, len(shown)-300):])
	}
	gatewaytest.Eventually(t, "the cut is in the audit log", func() bool { return len(s.Audit.Find(identity.WorkspaceOpen, audit.Cut)) == 1 })

	_, resp, err := s.dial(t, s.serve(t, gatewaytest.Ada), "")
	if err == nil || resp == nil || (resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusNotFound) {
		t.Errorf("opened again: %v", err)
	}
	s.Join()
	if _, _, err := s.dial(t, s.serve(t, gatewaytest.Ada), ""); err != nil {
		t.Errorf("after joining again: %v", err)
	}
}

// TestAttack14CrossOriginWebSocket: a page of another site cannot open a terminal with its visitor's cookie.
func TestAttack14CrossOriginWebSocket(t *testing.T) {
	s := newScene(t)
	server := s.serve(t, gatewaytest.Ada)
	for _, origin := range []string{
		"http://evil.example.test", "http://lanyard.localhost:8080", "https://" + s.host(), "http://" + s.host() + ".evil.example.test",
		"http://t-aaaaaaaaaaaaaaaa.localhost:8080", "null", "http://" + strings.TrimSuffix(s.host(), ":8080"), "http://user@" + s.host(),
	} {
		_, resp, err := s.dial(t, server, origin)
		if err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("origin %s: %v", origin, err)
		}
	}
	_, resp, err := websocket.Dial(timeout(t), server.URL+SocketPath, &websocket.DialOptions{Host: s.host()})
	if err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("no origin: %v", err)
	}
	two := http.Header{"Origin": {"http://" + s.host(), "http://evil.example.test"}}
	if _, _, err = websocket.Dial(timeout(t), server.URL+SocketPath, &websocket.DialOptions{Host: s.host(), HTTPHeader: two}); err == nil {
		t.Error("two origins: opened")
	}
	if n := len(s.Audit.Find(identity.WorkspaceOpen, audit.Opened)); n != 0 {
		t.Errorf("%d leases were opened", n)
	}
}

func TestNobodyEntersAnothersWorkspace(t *testing.T) {
	s := newScene(t)
	for _, person := range []string{gatewaytest.Linus, gatewaytest.Mallory} {
		server := s.serve(t, person)
		if _, _, err := s.dial(t, server, ""); err == nil {
			t.Errorf("%s opened Ada's terminal", person)
		}
		if last := s.run(t, server, `{"argv":["id"]}`); !last.Denied || last.Error == "" {
			t.Errorf("%s ran a command in Ada's workspace: %+v", person, last)
		}
		r, _ := http.NewRequest(http.MethodGet, server.URL+"/", nil)
		r.Host = s.host()
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if strings.Contains(string(body), "the page") {
			t.Errorf("%s got the page", person)
		}
	}
}

func TestHostsOfTerminals(t *testing.T) {
	g := New(Config{Domain: "localhost"})
	for host, want := range map[string]identity.WorkspaceID{
		"t-abcdefghij234567.localhost": "w-abcdefghij234567", "T-abcdefghij234567.LOCALHOST:8080": "w-abcdefghij234567",
		"t-abcdefghij234567.localhost.": "", "t-abcdefghij234567.localhost.evil.example.test": "", "t-abc.localhost": "",
		"8080-abcdefghij234567.localhost": "", "x.t-abcdefghij234567.localhost": "", "localhost": "", "": "", "t-.localhost": "",
	} {
		if id, ok := g.Host(host); id != want && ok || ok != (want != "") {
			t.Errorf("%q is the terminal of %q, %v", host, id, ok)
		}
	}
}

func TestBriefReasonsFitAndStayText(t *testing.T) {
	for n := range 200 {
		if b := brief(strings.Repeat("ä€", n)); len(b) > 120 || !utf8.ValidString(b) {
			t.Errorf("%d bytes: %q", len(b), b)
		}
	}
	if p := printable("a\x1b[31mb\u009bc\r\n"); strings.ContainsAny(p, "\x1b\r\n\u009b") {
		t.Errorf("printable: %q", p)
	}
}
