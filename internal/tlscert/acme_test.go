package tlscert

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

// TestAuthorityThatIsAway: handshakes do not wait for it and do not ask it again, and it is said how it stands.
func TestAuthorityThatIsAway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	directory := "https://" + l.Addr().String() + "/dir"
	l.Close()
	var said bytes.Buffer
	with := func(files ...Files) *Set {
		t.Helper()
		s, err := New(Config{
			Files: files, ACME: &ACME{Directory: directory, Hosts: []string{"lanyard.example.test"}}, Rows: &memory{}, Sealer: mustSealer(t),
			Log: slog.New(slog.NewTextHandler(&said, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := with()
	h := s.acme.hosts[0]
	begun := time.Now()
	s.acme.look(h, begun)
	if text := said.String(); h.wait != waitFirst || !strings.Contains(text, "no certificate was obtained") || !strings.Contains(text, "lanyard.example.test") {
		t.Errorf("after %v it said %s", h.wait, text)
	}
	s.acme.look(h, begun)
	s.acme.look(h, h.after)
	if h.wait != 2*waitFirst || strings.Count(said.String(), "no certificate was obtained") != 2 {
		t.Errorf("it was tried before its time: %v\n%s", h.wait, said.String())
	}
	for range 10 {
		s.acme.look(h, h.after)
	}
	if h.wait != waitMost {
		t.Errorf("it waits %v", h.wait)
	}
	before := said.Len()
	if _, err := s.choose(&tls.ClientHelloInfo{ServerName: "lanyard.example.test"}); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("a handshake: %v", err)
	}
	if said.Len() != before {
		t.Error("a handshake asked the authority")
	}
	files := issue(t, t.TempDir(), certificate{names: []string{"*.workspaces.example.net"}})
	if got := shown(t, with(files), &tls.Config{ServerName: "t-abc.workspaces.example.net"}); !got.Equal(of(t, files)) {
		t.Error("files wait for the authority")
	}
	s.acme.stop()
	if _, err := s.acme.transport.RoundTrip(nil); err == nil {
		t.Error("it goes on after it was stopped")
	}
}
