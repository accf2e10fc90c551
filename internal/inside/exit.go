package inside

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Exit statuses, as of the command line on a laptop.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitDenied = 3
	exitSignIn = 4
)

// usageError says that the command line is wrong.
type usageError struct{ error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// statusError carries an exit status. Without an error nothing more is to be said.
type statusError struct {
	status int
	err    error
}

func (e statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e statusError) Unwrap() error { return e.err }

func statusOf(err error) int {
	var own statusError
	var wrong usageError
	switch {
	case errors.As(err, &own):
		return own.status
	case errors.As(err, &wrong):
		return exitUsage
	}
	switch kindOf(err) {
	case problem.Invalid:
		return exitUsage
	case problem.Denied, problem.NotFound, problem.StepUpNeeded, problem.ApprovalNeeded:
		return exitDenied
	case problem.SignInNeeded:
		return exitSignIn
	}
	return exitFailed
}

func kindOf(err error) problem.Kind {
	var no *refused
	if errors.As(err, &no) {
		return no.Document.Err().Kind
	}
	return problem.KindOf(err)
}

// report tells the person what went wrong, with the reasons that the server gave.
func (a *app) report(err error) {
	var own statusError
	if errors.As(err, &own) && own.err == nil {
		return
	}
	var told *problem.Error
	var no *refused
	text := err.Error()
	switch {
	case errors.Is(err, context.Canceled):
		text = "interrupted"
	case errors.As(err, &told):
		text = told.Message
	}
	fmt.Fprintf(a.c.Stderr, "%s: %s\n", filepath.Base(a.c.Program), clean(text))
	say := func(format, value string) {
		if value != "" && !strings.Contains(text, value) {
			fmt.Fprintf(a.c.Stderr, "  "+format+"\n", clean(value))
		}
	}
	var next *problem.Next
	if errors.As(err, &no) {
		next = no.Next
		for _, reason := range no.Reasons {
			say("because: %s", reason)
		}
	} else if told != nil {
		next = told.Next
	}
	if next != nil {
		say("sign in again at: %s", next.SignIn)
		say("ask for it with: %s", next.Run)
	}
}

// clean is text from elsewhere without what moves a terminal's cursor; lines after the first are indented.
func clean(s string) string {
	var b strings.Builder
	for _, r := range strings.TrimRight(s, "\n") {
		switch {
		case r == '\n':
			b.WriteString("\n  ")
		case unicode.IsGraphic(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// oneLine is clean for text that a person decides by: nothing of it can be pushed out of sight, or look like another line.
func oneLine(s string) string { return clean(strings.Join(strings.Fields(s), " ")) }
