package setup

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// A person at a terminal is asked, and nothing happens unless they agree.
func TestAsked(t *testing.T) {
	w := newWorld(t)
	w.azLogin("margaret")
	file := w.draft()
	for _, c := range []struct {
		answer, says string
		registered   int
	}{
		{"\n", "nothing was changed", 0}, {"n\n", "nothing was changed", 0}, {"y\n", "Lanyard is registered as", 1}, {"", "Nothing is to be changed.", 1},
	} {
		cmd := w.command(w.context(), filepath.Join(w.bin, "lanyard"), "entra", "setup", "--config", file)
		terminal, err := pty.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(terminal, c.answer); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		_, _ = io.Copy(&said, terminal) // a terminal whose program has ended is an error
		_ = cmd.Wait()                  // the status is told by what it said
		terminal.Close()
		if got := len(w.registered()); !strings.Contains(said.String(), c.says) || got != c.registered {
			t.Errorf("after %q there are %d registrations:\n%s", c.answer, got, said.String())
		}
	}
}
