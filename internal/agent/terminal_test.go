package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// screen is an attached terminal and all that it was sent.
type screen struct {
	t    *testing.T
	conn *websocket.Conn
	seen bytes.Buffer
	exit *int
}

func (w *world) attach(name string, size agentapi.Size) *screen {
	w.t.Helper()
	c, err := w.agent().Terminal(testContext(w.t), name, size)
	if err != nil {
		w.t.Fatal(err)
	}
	s := &screen{t: w.t, conn: c}
	w.t.Cleanup(func() { c.CloseNow() })
	return s
}

func (s *screen) typed(text string) {
	s.t.Helper()
	if err := s.conn.Write(testContext(s.t), websocket.MessageBinary, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

// until reads until text was seen, or the shell's end if text is empty.
func (s *screen) until(text string) {
	s.t.Helper()
	ctx := testContext(s.t)
	for text == "" && s.exit == nil || text != "" && !strings.Contains(s.seen.String(), text) {
		kind, p, err := s.conn.Read(ctx)
		if err != nil {
			s.t.Fatalf("waiting for %q: %v; seen %q", text, err, s.seen.String())
		}
		if kind == websocket.MessageBinary {
			s.seen.Write(p)
			continue
		}
		var c agentapi.Control
		if err := json.Unmarshal(p, &c); err != nil {
			s.t.Fatal(err)
		}
		s.exit = c.Exit
	}
}

func TestTerminalIsSharedAndReattached(t *testing.T) {
	w := newWorld(t, nil)
	a := w.attach("main", agentapi.Size{Cols: 90, Rows: 30})
	a.typed("stty size; echo fir''st $TERM\n")
	a.until("30 90")
	a.until("first xterm-256color")
	b := w.attach("main", agentapi.Size{})
	b.until("first xterm-256color")
	b.typed("echo sec''ond\n")
	a.until("second")
	b.until("second")
	// Bash reads the size and writes it back before each prompt (readline's set_winsize), so a change that falls between
	// the two is lost: a window that is resized once more has it.
	text, _ := json.Marshal(agentapi.Control{Resize: &agentapi.Size{Cols: 44, Rows: 22}})
	for try := 1; !strings.Contains(a.seen.String(), "22 44"); try++ {
		if try > 20 {
			t.Fatalf("the size does not change: %q", a.seen.String())
		}
		if err := a.conn.Write(testContext(t), websocket.MessageText, text); err != nil {
			t.Fatal(err)
		}
		a.typed(fmt.Sprintf("stty size; echo tr''y %d\n", try))
		a.until(fmt.Sprintf("try %d", try))
	}
	a.conn.CloseNow()
	other := w.attach("other", agentapi.Size{})
	other.typed("echo ot''her\n")
	other.until("other")
	if strings.Contains(other.seen.String(), "first") {
		t.Error("two terminals share a screen")
	}
	if s, err := w.agent().Status(testContext(t)); err != nil || strings.Join(s.Terminals, " ") != "main other" {
		t.Errorf("%+v, %v", s, err)
	}
	b.typed("exit 3\n")
	b.until("")
	if *b.exit != 3 {
		t.Errorf("exit %d", *b.exit)
	}
	eventually(t, "the ended terminal is gone", func() bool {
		s, err := w.agent().Status(testContext(t))
		return err == nil && len(s.Terminals) == 1
	})
	again := w.attach("main", agentapi.Size{})
	again.typed("echo ne''w\n")
	again.until("new")
	if strings.Contains(again.seen.String(), "first") {
		t.Error("a new shell begins with the old one's output")
	}
}

func TestTerminalOutlivesTheServer(t *testing.T) {
	w := newWorld(t, nil)
	a := w.attach("main", agentapi.Size{})
	a.typed("KEPT=ke''pt; echo be''fore; (sleep 1; echo mean''while) &\n")
	a.until("before")
	w.shutdown()
	for {
		if _, _, err := a.conn.Read(testContext(t)); err != nil {
			break // the rest of the output came first
		}
	}
	time.Sleep(1500 * time.Millisecond) // for the shell to write while nobody is attached
	w.listen(nil)
	w.wait()
	b := w.attach("main", agentapi.Size{})
	b.until("before")
	b.until("meanwhile")
	b.typed("echo $KEPT-on\n")
	b.until("kept-on")
}

// A viewer that does not read holds the output up only for a while; the others then go on.
func TestTerminalFloodsAreHeldAndLoseNothing(t *testing.T) {
	w := newWorld(t, nil)
	a := w.attach("main", agentapi.Size{})
	a.typed("stty -echo -onlcr; PS1=; echo rea''dy\n")
	a.until("ready")
	a.seen.Reset()
	a.typed("seq 1 200000; echo do''ne\n")
	a.until("done")
	var want strings.Builder
	for i := 1; i <= 200000; i++ {
		want.WriteString(itoa(i))
	}
	got := a.seen.String()
	if i := strings.Index(got, "1\n2\n"); i < 0 || !strings.HasPrefix(got[i:], want.String()) {
		t.Errorf("%d bytes of %d, or others", len(got), want.Len())
	}
	b := w.attach("main", agentapi.Size{})
	b.until("done")
	if n := b.seen.Len(); n > scrollbackBytes || n < scrollbackBytes/2 {
		t.Errorf("history of %d bytes", n)
	}
	if first, _, _ := strings.Cut(b.seen.String(), "\n"); len(first) != 6 {
		t.Errorf("the history begins in the middle of a line: %q", first)
	}
}

func itoa(i int) string { b, _ := json.Marshal(i); return string(b) + "\n" }

func TestTerminalNamesAreChecked(t *testing.T) {
	w := newWorld(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, name := range []string{"", "..", "a/b", "-x", "a b", strings.Repeat("x", 200)} {
		if c, err := w.agent().Terminal(ctx, name, agentapi.Size{}); err == nil {
			c.CloseNow()
			t.Errorf("%q names a terminal", name)
		}
	}
}
