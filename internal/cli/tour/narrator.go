package tour

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// column is where the measured times end.
const column = 96

// folded is how long a line of a program's output may be.
const folded = 112

// narrator writes the transcript.
type narrator struct {
	out   io.Writer
	clean func(string) string
}

// title begins a chapter.
func (n narrator) title(format string, args ...any) {
	fmt.Fprintf(n.out, "\n%s\n", n.clean(fmt.Sprintf(format, args...)))
}

// say writes a line of the story.
func (n narrator) say(format string, args ...any) {
	fmt.Fprintf(n.out, "%s\n", n.clean(fmt.Sprintf(format, args...)))
}

// tell writes an indented line.
func (n narrator) tell(format string, args ...any) { n.say("   "+format, args...) }

// took writes an indented line with a measured time at its end.
func (n narrator) took(d time.Duration, format string, args ...any) {
	text := n.clean("   " + fmt.Sprintf(format, args...))
	if d < 0 { // the notification outran the answer
		text += ", before the answer was read"
	}
	at := milliseconds(d)
	fmt.Fprintf(n.out, "%s%s%s\n", text, strings.Repeat(" ", max(2, column-utf8.RuneCountInString(text)-len(at))), at)
}

// typed shows a command as it was typed, and its output.
func (n narrator) typed(who, command, output string) {
	n.say("   %s$ %s", who, command)
	n.quote(output)
}

// quote shows what a program wrote, and folds its long lines.
func (n narrator) quote(output string) {
	for line := range strings.Lines(screen(output)) {
		line = strings.TrimRight(line, " \n")
		for first := true; line != ""; first = false {
			var part string
			part, line = fold(line, folded)
			if first {
				n.say("   │ %s", part)
				continue
			}
			n.say("   │   %s", part)
		}
	}
}

// fold cuts a line at the last space that leaves at most so many characters before it.
func fold(line string, most int) (first, rest string) {
	if utf8.RuneCountInString(line) <= most {
		return line, ""
	}
	cut := 0
	for i, n := 0, 0; i < len(line) && n <= most; n++ {
		if line[i] == ' ' {
			cut = i
		}
		_, size := utf8.DecodeRuneInString(line[i:])
		i += size
	}
	if cut == 0 {
		return line, ""
	}
	return line[:cut], strings.TrimLeft(line[cut:], " ")
}

// milliseconds prints a time as the transcript shows it.
func milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms < 10 && ms > -10 {
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

// escapes are the sequences by which programs draw on a terminal (ECMA-48).
var escapes = regexp.MustCompile(`\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[()][0-9A-B]|\x1b[=>]`)

// screen is what a person would have read: without drawing, and with lines that were written over as they ended.
func screen(s string) string {
	s = escapes.ReplaceAllString(s, "")
	var lines []string
	for line := range strings.SplitSeq(strings.ReplaceAll(s, "\r\n", "\n"), "\n") {
		line = strings.TrimRight(line, "\r")
		if i := strings.LastIndexByte(line, '\r'); i >= 0 {
			line = line[i+1:]
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// grep returns the lines that hold one of the words.
func grep(text string, words ...string) string {
	var found []string
	for line := range strings.Lines(screen(text)) {
		for _, w := range words {
			if strings.Contains(line, w) {
				found = append(found, strings.TrimSpace(line))
				break
			}
		}
	}
	return strings.Join(found, "\n")
}
