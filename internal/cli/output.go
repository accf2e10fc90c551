package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mattn/go-isatty"
)

// output writes for people: aligned, short, control characters escaped, in colour on a terminal only.
type output struct {
	io.Writer
	colour bool
}

func newOutput(w io.Writer, env func(string) string) output {
	o := output{Writer: w}
	if f, ok := w.(*os.File); ok && terminal(f) && env("NO_COLOR") == "" && env("TERM") != "dumb" {
		o.colour = coloured(f)
	}
	return o
}

// terminal reports whether a stream is a terminal.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// line writes one line. The arguments come from elsewhere and are cleaned; the format is ours.
func (o output) line(format string, args ...any) {
	for i, a := range args {
		switch v := a.(type) {
		case string:
			args[i] = clean(v)
		case error:
			args[i] = clean(v.Error())
		}
	}
	fmt.Fprintf(o, format+"\n", args...) // who reads no more needs no error
}

// text writes lines that may hold what came from elsewhere.
func (o output) text(lines string) {
	for line := range strings.Lines(lines) {
		o.line("%s", strings.TrimSuffix(line, "\n"))
	}
}

const (
	dim  = "\x1b[2m"
	bold = "\x1b[1m"
	red  = "\x1b[31m"
	off  = "\x1b[0m"
)

// paint colours text that is clean already.
func (o output) paint(colour, text string) string {
	if !o.colour || text == "" {
		return text
	}
	return colour + text + off
}

// table writes rows in columns under a heading. The last column is not padded.
func (o output) table(heading []string, rows [][]string) {
	widths := make([]int, len(heading))
	for i, h := range heading {
		widths[i] = utf8.RuneCountInString(h)
	}
	for _, row := range rows {
		for i := range row {
			row[i] = clean(row[i])
			if row[i] == "" {
				row[i] = "-"
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	write := func(cells []string) string {
		var b strings.Builder
		for i, cell := range cells {
			b.WriteString(cell)
			if i < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		return b.String()
	}
	fmt.Fprintln(o, o.paint(dim, write(heading)))
	for _, row := range rows {
		fmt.Fprintln(o, write(row))
	}
}

// json writes a value as one line.
func (o output) json(v any) error {
	e := json.NewEncoder(o)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// age is how long ago a time was, in its largest unit.
func age(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	switch d := now.Sub(t); {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// through is the way from a role to the person: the group that gives it, and the groups between.
func through(via string, path []string) string {
	if via == "" {
		return ""
	}
	var between []string
	for _, g := range path {
		if g != via {
			between = append(between, g)
		}
	}
	if len(between) == 0 {
		return via
	}
	return via + " (by " + strings.Join(between, ", ") + ")"
}
