package agent

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// announced are the kinds of ports of which the person in a terminal is told when something begins to listen there. A browser
// is never opened: who opens one is the person.
var announced = []string{"notify", "openBrowser", "openPreview"}

// openedPorts are those that the people in the workspace were told of. The zero value is ready.
type openedPorts struct {
	mu       sync.Mutex
	told     map[int]bool
	consoles map[chan []byte]bool // of commands with a terminal of their own (lanyard ssh)
}

// console is where what people are told comes out for one such command, until they leave.
func (o *openedPorts) console() (texts <-chan []byte, leave func()) {
	c := make(chan []byte, 8)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.consoles == nil {
		o.consoles = map[chan []byte]bool{}
	}
	o.consoles[c] = true
	return c, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.consoles, c)
	}
}

// show tells those at such a command. Nobody waits for one who does not read.
func (o *openedPorts) show(text []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for c := range o.consoles {
		select {
		case c <- text:
		default:
		}
	}
}

// fresh are those that were not told yet, and counts them as told. One on which nothing listens any more may be told again.
func (o *openedPorts) fresh(now []agentapi.PortState) []agentapi.PortState {
	o.mu.Lock()
	defer o.mu.Unlock()
	told := map[int]bool{}
	var fresh []agentapi.PortState
	for _, p := range now {
		if !p.Listening || !slices.Contains(announced, p.OnOpen) {
			continue
		}
		if told[p.Port] = true; !o.told[p.Port] {
			fresh = append(fresh, p)
		}
	}
	o.told = told
	return fresh
}

// announcePorts tells those who are at a terminal of ports that open, until ctx ends: the time that somebody is at one.
func (a *Agent) announcePorts(ctx context.Context) {
	tick := time.NewTicker(lookForPorts)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, p := range a.opened.fresh(a.ports()) {
			text := []byte("\r\n\x1b[7m " + a.opens(p) + " \x1b[0m\r\n")
			a.terminals.show(text, true)
			a.opened.show(text)
		}
	}
}

// opens says that a port is open, and how one reaches it.
func (a *Agent) opens(p agentapi.PortState) string {
	name := ""
	if p.Name != "" {
		name = " (" + printable(p.Name) + ")"
	}
	a.mu.Lock()
	id := a.env["LANYARD_WORKSPACE_ID"]
	a.mu.Unlock()
	return fmt.Sprintf("Port %d%s is open. On your own machine: lanyard port-forward %s %d", p.Port, name, id, p.Port)
}

// show writes bytes into the open terminals, as if a program there had written them; viewed: only into those that somebody is at.
func (t *terminals) show(text []byte, viewed bool) {
	t.mu.Lock()
	open := make([]*terminal, 0, len(t.open))
	for _, one := range t.open {
		open = append(open, one)
	}
	t.mu.Unlock()
	for _, one := range open {
		one.mu.Lock()
		if !viewed || len(one.viewers) > 0 {
			one.output.write(text)
			one.changed.Broadcast()
		}
		one.mu.Unlock()
	}
}
