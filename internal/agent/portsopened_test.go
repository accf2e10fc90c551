package agent

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// Who is at a terminal is told of a port that opens, where the file wants people to be told, once for each time that it opens.
func TestOpenedPortsAreTold(t *testing.T) {
	w := newWorld(t, nil)
	var ports []int
	var plans []agentapi.PortPlan
	for _, kind := range []string{"silent", "ignore", "openBrowser"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		port := l.Addr().(*net.TCPAddr).Port
		ports = append(ports, port)
		plans = append(plans, agentapi.PortPlan{First: port, Last: port, OnOpen: kind, Name: "of " + kind + "\x1b[2J"})
	}
	w.setup(agentapi.Setup{Ports: plans, Env: map[string]string{"LANYARD_WORKSPACE_ID": "w-abc"}})
	s := w.attach("main", agentapi.Size{Cols: 200, Rows: 24})
	says := "Port " + strconv.Itoa(ports[2]) + " (of openBrowser"
	s.until(says)
	s.until("lanyard port-forward w-abc " + strconv.Itoa(ports[2]))

	// So is who is at a command with a terminal of its own.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	w.setup(agentapi.Setup{Ports: []agentapi.PortPlan{{First: port, Last: port, OnOpen: "notify"}}, Env: map[string]string{"LANYARD_WORKSPACE_ID": "w-abc"}})
	read, write := io.Pipe()
	out := &untilSaid{text: "lanyard port-forward w-abc " + strconv.Itoa(port), then: write}
	code, err := w.agent().Exec(testContext(t), agentapi.ExecRequest{Argv: []string{"/bin/sh", "-c", "read line && exit 7"}, TTY: true, Stdin: true}, agentapi.Streams{Stdin: read, Stdout: out})
	if err != nil || code != 7 {
		t.Errorf("%d %v %q", code, err, out.said.String())
	}

	var o openedPorts
	state := []agentapi.PortState{{Port: 1, Listening: true, OnOpen: "notify"}, {Port: 2, Listening: true, OnOpen: "silent"}, {Port: 3, OnOpen: "openPreview"}, {Port: 4, Listening: true}}
	numbers := func(list []agentapi.PortState) string {
		var all []string
		for _, p := range list {
			all = append(all, strconv.Itoa(p.Port))
		}
		return strings.Join(all, " ")
	}
	first, again := numbers(o.fresh(state)), numbers(o.fresh(state))
	state[0].Listening, state[2].Listening = false, true
	closed := numbers(o.fresh(state))
	state[0].Listening = true
	if reopened := numbers(o.fresh(state)); first != "1" || again != "" || closed != "3" || reopened != "1" {
		t.Errorf("told: %q, %q, %q, %q", first, again, closed, reopened)
	}
}

// untilSaid types a line when a text was written.
type untilSaid struct {
	said bytes.Buffer
	text string
	then io.WriteCloser
	once sync.Once
}

func (u *untilSaid) Write(p []byte) (int, error) {
	u.said.Write(p)
	if strings.Contains(u.said.String(), u.text) {
		u.once.Do(func() {
			go func() {
				_, _ = u.then.Write([]byte("\n")) // the command ends with it
				u.then.Close()
			}()
		})
	}
	return len(p), nil
}
