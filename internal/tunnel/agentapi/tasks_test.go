package agentapi

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// to is a transport to a server that stands in for a workspace.
type to struct{ host string }

func (t to) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = t.host
	return http.DefaultTransport.RoundTrip(r)
}

// Whatever a workspace says of itself, the server keeps and shows little of it, and nothing that moves a cursor.
func TestAttack27WhatAWorkspaceSaysOfItsTasksIsBounded(t *testing.T) {
	long := strings.Repeat("\x1b]0;x\a", 1000)
	var tasks []TaskState
	var ports []PortState
	for range 500 {
		tasks = append(tasks, TaskState{ID: long, Name: long[:500], State: long, Step: long, Terminal: long})
		ports = append(ports, PortState{Name: long, Text: long[:5000], OnOpen: long, Protocol: long})
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/log"):
			_, _ = io.Copy(w, io.LimitReader(zeroes{}, 64<<20)) // the client hangs up
		case r.URL.Path == "/v1/tasks":
			_ = json.NewEncoder(w).Encode(tasks[:3])
		case r.URL.Path == "/v1/ports":
			_ = json.NewEncoder(w).Encode(ports)
		}
	}))
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	defer server.Close()
	c := New(to{strings.TrimPrefix(server.URL, "http://")})
	list, err := c.Tasks(t.Context())
	if err != nil || len(list) != 3 {
		t.Fatalf("%d, %v", len(list), err)
	}
	for _, s := range list {
		if len(s.ID) > 2*maxTitle || len(s.Step) > 2*maxTitle || strings.ContainsAny(s.ID+s.Name+s.State+s.Step+s.Terminal, "\x1b\a") {
			t.Fatalf("%+v", s)
		}
	}
	if _, err := c.Ports(t.Context()); err == nil {
		t.Error("an answer of many megabytes was read")
	}
	if got := boundTasks(tasks); len(got) != maxStates {
		t.Errorf("%d tasks", len(got))
	}
	if got := boundPorts(ports); len(got) != maxStates || strings.ContainsAny(got[0].Text, "\x1b") {
		t.Errorf("%d ports", len(got))
	}
	log, err := c.TaskLog(t.Context(), "a/../b")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, log); err != nil || n != maxTaskLog {
		t.Errorf("%d bytes of a log, %v", n, err)
	}
	log.Close()
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// What would be lost is told by the workspace that would lose it: the server shows little of that, and nothing that moves a cursor.
func TestAttack27WhatAWorkspaceSaysOfItsWorkIsBounded(t *testing.T) {
	nasty := strings.Repeat("\x1b]0;x\a", 1000)
	w := Work{Checkouts: make([]CheckoutWork, maxCheckouts+1)}
	w.Checkouts[0] = CheckoutWork{
		Folder: nasty, Branch: nasty, Error: nasty, Files: slices.Repeat([]string{nasty}, MaxWork+1), Commits: slices.Repeat([]string{nasty}, MaxWork+1),
		Changed: -1, Unpushed: math.MaxInt, Stashes: 3,
	}
	boundWork(&w)
	c := w.Checkouts[0]
	if len(w.Checkouts) != maxCheckouts || len(c.Files) != MaxWork || len(c.Commits) != MaxWork || c.Changed != 0 || c.Unpushed != maxCounted || c.Stashes != 3 {
		t.Errorf("%d checkouts; %d files, %d commits; %d, %d, %d", len(w.Checkouts), len(c.Files), len(c.Commits), c.Changed, c.Unpushed, c.Stashes)
	}
	for _, s := range []string{c.Folder, c.Branch, c.Error, c.Files[0], c.Commits[0]} {
		if len(s) > 3*maxNamed || strings.ContainsAny(s, "\x1b\a") {
			t.Errorf("%q", s)
		}
	}
}
