package agent

import (
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

func TestRecordsAreCountedAndCut(t *testing.T) {
	r := records{end: 0}
	for _, part := range []string{"a\x00b", "c\x00", strings.Repeat("x", 3*maxRecord), "\x00", "last"} {
		if n, err := r.Write([]byte(part)); err != nil || n != len(part) {
			t.Fatal(n, err)
		}
	}
	if r.n != 3 || r.first[0] != "a" || r.first[1] != "bc" || len(r.first[2]) != maxRecord {
		t.Errorf("%d %q", r.n, r.first)
	}
	if n := r.close(); n != 4 || r.first[3] != "last" {
		t.Errorf("%d %q", n, r.first)
	}
	many := records{end: '\n'}
	if _, err := many.Write([]byte(strings.Repeat("y\n", 1000))); err != nil || many.n != 1000 || len(many.first) != agentapi.MaxWork {
		t.Errorf("%d kept of %d: %v", len(many.first), many.n, err)
	}
}

func TestNoticeIsShownInTerminals(t *testing.T) {
	w := newWorld(t, nil)
	s := w.attach("main", agentapi.Size{Cols: 80, Rows: 24})
	s.typed("echo fir''st\n")
	s.until("first")
	if err := w.agent().Notice(testContext(t), []byte("\r\nit stops soon\r\n")); err != nil {
		t.Fatal(err)
	}
	s.until("it stops soon")
	if err := w.agent().Notice(testContext(t), make([]byte, 2*maxNotice)); err == nil {
		t.Error("a notice of any length is shown")
	}
}
