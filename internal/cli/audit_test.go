package cli

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
)

// What people are called, and what they did it to, commands no terminal: neither in a list nor in an export.
func TestAttack31AuditEntriesAreEscaped(t *testing.T) {
	var b strings.Builder
	a := &app{out: output{Writer: &b}}
	evil := "Ada\x1b]0;x\x07\u009b31m\u202e"
	if err := a.showEvent(api.Event{UserName: evil, Action: evil, Resource: evil, Reasons: []string{evil}, Outcome: evil}, false); err != nil {
		t.Fatal(err)
	}
	if err := a.exportToTerminal(func(to io.Writer) error { _, err := io.WriteString(to, evil+"\n"+evil); return err }); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); strings.ContainsAny(text, "\x1b\x07\u009b\u202e") || strings.Count(text, "\n") != 3 {
		t.Errorf("%q", text)
	}
}

// TestMoments reads times as people write them.
func TestMoments(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	a := &app{c: Config{Now: func() time.Time { return now }}}
	for text, want := range map[string]time.Time{
		"2026-11-01T10:00:00Z": time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC), "24h": now.Add(-24 * time.Hour), "7d": now.AddDate(0, 0, -7),
		"2026-11-01": time.Date(2026, 11, 1, 0, 0, 0, 0, time.Local), "": {},
	} {
		if got, err := a.moment("--since", text); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"yesterday", "-3h", "0d", "2026-13-01"} {
		if _, err := a.moment("--since", text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
