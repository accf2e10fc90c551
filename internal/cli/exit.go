package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Exit statuses of every command but exec, which has its command's own.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitDenied = 3
	exitSignIn = 4

	execFailed  = 125 // Lanyard failed
	execRefused = 126 // the command was refused, or ended because access did
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

// statusOf finds the exit status of an error.
func statusOf(err error) int {
	var own statusError
	var wrong usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &own):
		return own.status
	case errors.As(err, &wrong):
		return exitUsage
	}
	switch remote.KindOf(err) {
	case problem.Invalid:
		return exitUsage
	case problem.Denied, problem.ApprovalNeeded:
		return exitDenied
	case problem.SignInNeeded, problem.StepUpNeeded:
		return exitSignIn
	}
	return exitFailed
}

// report tells the person what went wrong, with the reasons that the server gave.
func (a *app) report(err error) {
	var own statusError
	if errors.As(err, &own) && own.err == nil {
		return
	}
	text := err.Error()
	var told *problem.Error
	switch {
	case errors.Is(err, context.Canceled):
		text = "interrupted"
	case errors.As(err, &told) && told.Kind != problem.Internal:
		text = told.Message
	}
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") { // a finding stands on a line of its own
		if i == 0 {
			fmt.Fprintln(a.err, a.err.paint(red, "lanyard:"), clean(line))
			continue
		}
		a.err.line("  %s", line)
	}
	var refused *api.Error
	if errors.As(err, &refused) {
		for _, reason := range refused.Reasons {
			if !strings.Contains(refused.Detail, reason) {
				a.err.line("  because: %s", reason)
			}
		}
	}
	if refused != nil && refused.Help != nil {
		a.help(*refused.Help)
	} else if told != nil && told.Help != nil {
		h := told.Help
		a.help(api.Help{Code: h.Code, Who: h.Who, Do: h.Do, Correlation: h.Correlation, Trace: h.Trace, Time: h.Time})
	}
	a.signInHint(err, text)
}

// signInHint says how one signs in, where that is what is missing and was not said.
func (a *app) signInHint(err error, said string) {
	if strings.Contains(said, "lanyard login") {
		return
	}
	kind := remote.KindOf(err)
	if kind != problem.SignInNeeded && kind != problem.StepUpNeeded {
		return
	}
	c, none := a.accounts().Find(a.context)
	switch {
	case none != nil || c == nil || a.socket != "":
		if kind == problem.SignInNeeded {
			a.err.line("  Sign in: lanyard login https://HOST, or as a sample user of `lanyard dev` with --user.")
		}
	case kind == problem.SignInNeeded:
		a.err.line("  Sign in again: lanyard login %s", c.URL)
	case !strings.Contains(said, "/step-up?"): // a sign-in that is too old, and not one that lacks a context
		a.err.line("  From here: lanyard login --fresh %s", c.URL)
	}
}
