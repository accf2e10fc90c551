package tunnel

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// A workspace that opens connections without a hello, or streams without end, holds up nobody but itself.
func TestOneWorkspaceCannotTakeTheServer(t *testing.T) {
	hub := newHub(t, shortDir(t), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "in") }))
	greedy, other := identity.NewWorkspaceID(), identity.NewWorkspaceID()
	dir := listen(t, hub, greedy)
	refused := 0
	for i := range 2 * maxPending {
		c, err := net.Dial("unix", filepath.Join(dir, SocketName))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i < maxPending {
			continue
		}
		_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); err != nil && !os.IsTimeout(err) {
			refused++
		}
	}
	if refused == 0 {
		t.Error("every silent connection is kept")
	}
	c := dial(t, listen(t, hub, other), nil)
	if got, err := get(t, c.Transport(), "http://s/"); got != "in" || err != nil {
		t.Fatalf("the other workspace: %q, %v", got, err)
	}
	var streams []net.Conn
	ended := 0
	for range maxStreams + 50 {
		s, err := c.session.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		streams = append(streams, s)
	}
	for _, s := range streams[maxStreams:] {
		_ = s.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := s.Read(make([]byte, 1)); err == io.EOF {
			ended++
		}
	}
	if ended < 40 {
		t.Errorf("%d streams beyond the limit were refused", ended)
	}
	for _, s := range streams {
		s.Close()
	}
	eventually(t, func() bool {
		got, err := get(t, c.Transport(), "http://s/")
		return got == "in" && err == nil
	})
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("in vain")
		}
	}
}
