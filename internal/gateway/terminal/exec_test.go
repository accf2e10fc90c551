package terminal

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

func TestExecRunsACommand(t *testing.T) {
	s := newScene(t)
	server := s.serve(t, gatewaytest.Ada)
	out, last := s.exec(t, server, `{"argv":["sh","-c","cat; exit 7"],"stdin":true}`, "hello")
	if out != "hello" || last.Code != 7 || last.Error != "" || last.Denied {
		t.Errorf("%q, %+v", out, last)
	}
	if _, last = s.exec(t, server, `{"argv":["no-such-command"]}`, ""); !strings.Contains(last.Error, "not found") || last.Denied {
		t.Errorf("%+v", last)
	}
	for _, request := range []string{`{}`, `[]`, `{"argv":[]}`, "x"} {
		if _, last = s.exec(t, server, request, ""); last.Error == "" {
			t.Errorf("%s: %+v", request, last)
		}
	}
	opened := s.Audit.Find(identity.WorkspaceOpen, audit.Opened)
	if len(opened) != 2 || !slices.Equal(opened[0].Detail["exec"].([]string), []string{"sh", "-c", "cat; exit 7"}) {
		t.Errorf("the audit log has %v", opened)
	}
	gatewaytest.Eventually(t, "the leases end", func() bool { return len(s.Engine.LeasesOf(s.ws.Owner)) == 0 })
}

func TestExecIsCut(t *testing.T) {
	s := newScene(t)
	conn := s.start(t, s.serve(t, gatewaytest.Ada), `{"argv":["sh","-c","echo begun; sleep 600"]}`)
	if _, frame, err := conn.Read(timeout(t)); err != nil || string(frame) != "\x01begun\n" {
		t.Fatalf("%q, %v", frame, err)
	}
	s.Leave()
	_, last := finish(t, conn)
	if !last.Denied || !strings.Contains(last.Error, "Lanyard closed this: you are no longer in the group payments-engineers") {
		t.Errorf("the last frame is %+v", last)
	}
}

// run runs a command and returns its last frame.
func (s *scene) run(t *testing.T, server *httptest.Server, request string) ExecEnd {
	_, last := s.exec(t, server, request, "")
	return last
}

func (s *scene) exec(t *testing.T, server *httptest.Server, request, stdin string) (string, ExecEnd) {
	t.Helper()
	conn := s.start(t, server, request)
	if stdin != "" {
		for _, frame := range []string{"\x00" + stdin, "\x00", "\x01not input"} {
			if err := conn.Write(timeout(t), websocket.MessageBinary, []byte(frame)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return finish(t, conn)
}

func (s *scene) start(t *testing.T, server *httptest.Server, request string) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(timeout(t), server.URL+"/exec", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow() })
	if err := conn.Write(timeout(t), websocket.MessageText, []byte(request)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// finish reads a command's output and its last frame.
func finish(t *testing.T, conn *websocket.Conn) (string, ExecEnd) {
	t.Helper()
	var out strings.Builder
	for {
		_, frame, err := conn.Read(timeout(t))
		if err != nil {
			t.Fatalf("no last frame: %v", err)
		}
		switch frame[0] {
		case agentapi.Stdout, agentapi.Stderr:
			out.Write(frame[1:])
		case agentapi.Exit:
			var e ExecEnd
			if err := json.Unmarshal(frame[1:], &e); err != nil {
				t.Fatal(err)
			}
			return out.String(), e
		}
	}
}
