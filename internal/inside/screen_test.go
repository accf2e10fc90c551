package inside

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// terminal is a terminal, and what draws it and types.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, program, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close(); program.Close() })
	return person, program
}

// TestAttack31AnswersAreNotTyped: what an AI agent had the terminal answer, and left unread, is not there for the shell.
func TestAttack31AnswersAreNotTyped(t *testing.T) {
	person, program := terminal(t)
	a := &app{c: Config{Stdin: program, Stdout: program, Stderr: program}}
	s, err := a.screen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waiting := func() int {
		n, err := unix.IoctlGetInt(int(program.Fd()), unix.TIOCINQ)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if _, err := person.WriteString("\x1b]l;touch pwned\x1b\\\n"); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); waiting() == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	if waiting() == 0 {
		t.Fatal("the answer does not arrive")
	}
	s.restore()
	if n := waiting(); n != 0 {
		t.Errorf("%d bytes wait for the shell", n)
	}
}

// TestAttack31TheTerminalIsSaneForTheLastWords: whatever an AI agent set, the last words follow its being taken back; what is
// no terminal gets none of it.
func TestAttack31TheTerminalIsSaneForTheLastWords(t *testing.T) {
	person, program := terminal(t)
	plain, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	for _, c := range []Config{{Stdout: program, Stderr: plain}, {Stdout: plain, Stderr: program}, {Stdout: program, Stderr: program}} {
		(&app{c: c}).reset()
		got := read(t, person, len(sane))
		for what, sequence := range map[string]string{
			"conceal": "\x1b[0m", "alternate screen": "\x1b[?1049l", "soft reset": "\x1b[!p", "scroll region": "\x1b[r", "charset": "\x1b(B",
			"cursor": "\x1b[?25h", "paste": "\x1b[?2004l", "mouse": "\x1b[?1003l", "drawing held back": "\x1b[?2026l", "colours": "\x1b]110\a",
		} {
			if !strings.Contains(got, sequence) {
				t.Errorf("%s stays: %q", what, got)
			}
		}
	}
	(&app{c: Config{Stdout: plain, Stderr: &strings.Builder{}}}).reset()
	if at, err := plain.Seek(0, io.SeekEnd); err != nil || at != 0 {
		t.Errorf("%d bytes in a file, %v", at, err)
	}
}

// read reads what a program wrote, of which a terminal may make \n into \r\n.
func read(t *testing.T, person *os.File, atLeast int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got := make(chan string, 1)
	go func() {
		b := make([]byte, atLeast)
		_, _ = io.ReadFull(person, b) // a part fails the test
		got <- string(b)
	}()
	select {
	case s := <-got:
		return s
	case <-ctx.Done():
		t.Fatal("nothing is written")
		return ""
	}
}

// What a person decides by is one line each.
func TestOneLine(t *testing.T) {
	if got := oneLine("repo:read\n\n\n \x1b[8mapp:call\t x\n"); got != `repo:read \u001b[8mapp:call x` {
		t.Errorf("%q", got)
	}
}
