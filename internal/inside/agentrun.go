package inside

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// Exit statuses of `agent run` where the command has none.
const (
	runFailed  = 125 // Lanyard failed, or the AI agent was stopped
	runRefused = 126 // it was refused, or ended because access did
	runNothing = 127 // its command could not be started
)

func (a *app) agentRun() *cobra.Command {
	var order agentapi.AgentOrder
	var env []string
	var tty, noInput, noDiff, asJSON bool
	cmd := &cobra.Command{
		Use:   "run --as NAME [--allow LINE]… [--for 30m] -- COMMAND [ARGUMENT…]",
		Short: "Run an AI agent beside this workspace, with a part of your rights",
		Long: `Runs a command beside this workspace, as an AI agent: in a second workspace with a home, a network exit and a session of
its own. It reaches what you may and what --allow says, and nothing else. A line of --allow is an action, which then is
on everything of its kind in the project (repo:read), or an action and a resource ("app:call ledger"); several are
separated by commas. Without --allow, what the project's file declares for an AI agent of that name (agents:).

It works on a copy of the checkout as it is now, with what is not committed. What it did comes back as a branch
agent/NAME/…, of which the difference is shown: look at it before you run it. With --checkout shared, where a policy
permits that, it works on this checkout itself.

It ends with the command, with its time, when you lose the right, with this command (Ctrl-C), and by "lanyard agent stop",
"lanyard revoke session" or "lanyard revoke lease". The exit status is the command's own; 125 means that Lanyard failed
or that it was stopped, 126 that it was refused or that access ended meanwhile, 127 that there is no such command.`,
		Example: `  lanyard agent run --as reviewer --allow repo:read,app:call --for 30m -- claude
  lanyard agent run --as tests --allow repo:read -- sh -c 'go test ./... 2>&1 | tee report.txt'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if order.Name == "" {
				return usage("name the AI agent: --as NAME")
			}
			order.Allow = lines(order.Allow)
			set, err := variables(env, a.c.Env)
			if err != nil {
				return err
			}
			order.Exec = agentapi.ExecRequest{Argv: args, Env: set, Dir: a.here(), TTY: tty}
			if !cmd.Flags().Changed("tty") {
				order.Exec.TTY = !noInput && isTerminal(a.c.Stdin) && isTerminal(a.c.Stdout)
			}
			return a.runAgent(cmd.Context(), order, noInput, !noDiff, asJSON)
		},
	}
	f := cmd.Flags()
	f.SetInterspersed(false) // what follows the command's name is the command's
	f.StringVar(&order.Name, "as", "", "the AI agent's `name`: a-z, 0-9 and -")
	f.StringArrayVar(&order.Allow, "allow", nil, "what it may do, separated by commas; may be given again")
	f.StringVar(&order.For, "for", "", "how `long` at most (as declared, or 1h)")
	f.StringVar(&order.Checkout, "checkout", "", "`copy`, or shared where a policy permits it (as declared, or copy)")
	f.StringVar(&order.Why, "why", "", "a `reason`, for the audit log")
	f.StringArrayVarP(&env, "env", "e", nil, "`NAME` or NAME=VALUE: a variable that it gets; of yours it gets none by itself")
	f.BoolVarP(&tty, "tty", "t", false, "give it a terminal of its own (as this command has one)")
	f.BoolVarP(&noInput, "no-input", "n", false, "send it no input")
	f.BoolVar(&noDiff, "no-diff", false, "at its end name the files that changed alone")
	f.BoolVar(&asJSON, "json", false, "say what happens as lines of JSON on standard error")
	_ = cmd.RegisterFlagCompletionFunc("checkout", cobra.FixedCompletions([]cobra.Completion{"copy", "shared"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("allow", cobra.FixedCompletions([]cobra.Completion{"repo:read", "repo:write", "app:call", "app:view", "registry:read", "registry:publish", "egress:connect", "token:mint"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// lines are what --allow names, one line each.
func lines(given []string) (all []string) {
	for _, g := range given {
		for _, line := range strings.Split(g, ",") {
			if line = strings.TrimSpace(line); line != "" {
				all = append(all, line)
			}
		}
	}
	return all
}

func variables(given []string, mine func(string) string) (map[string]string, error) {
	set := map[string]string{}
	for _, g := range given {
		name, value, ok := strings.Cut(g, "=")
		if name == "" {
			return nil, usage("--env takes NAME or NAME=VALUE, not %q", g)
		}
		if !ok {
			value = mine(name)
		}
		set[name] = value
	}
	return set, nil
}

// here is where the command starts: the same folder of its own checkout, where this is in one.
func (a *app) here() string {
	dir, err := os.Getwd()
	root := a.c.Env("GITPOD_REPO_ROOT")
	if err != nil || root == "" || !strings.HasPrefix(dir, filepath.Clean(root)+"/") {
		return ""
	}
	return dir
}

func (a *app) runAgent(ctx context.Context, order agentapi.AgentOrder, noInput, diff, asJSON bool) error {
	streams := agentapi.Streams{Stdin: a.c.Stdin, Stdout: a.c.Stdout, Stderr: a.c.Stderr}
	if noInput {
		streams.Stdin = nil
	}
	restore := func() {}
	if order.Exec.TTY {
		s, err := a.screen(ctx)
		if err != nil {
			return err
		}
		restore = s.restore
		order.Exec.Size, streams.Resize = s.size, s.sizes
	}
	told := teller{a: a, asJSON: asJSON, raw: order.Exec.TTY}
	status, err := a.agents().RunAgent(ctx, order, streams, told.event)
	if told.started != nil {
		a.reset()
	}
	restore()
	told.raw = false
	last := told.last
	if last == nil && told.started != nil { // it was cut, or this command interrupted: what it did comes back all the same
		last = a.after(ctx, told.started.ID)
	}
	if last != nil {
		told.ended(*last, diff)
	}
	switch {
	case err == nil && status == 0:
		return nil
	case err == nil:
		return statusError{status: status}
	}
	err = a.asked(ctx, err)
	switch problem.KindOf(err) {
	case problem.Denied, problem.SignInNeeded, problem.NotFound, problem.StepUpNeeded, problem.ApprovalNeeded:
		return statusError{runRefused, err}
	case problem.Invalid:
		if told.started != nil {
			return statusError{runNothing, err}
		}
		return statusError{exitUsage, err}
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		err = ctx.Err()
	}
	return statusError{runFailed, err}
}

// teller says what the server says of an AI agent, on standard error.
type teller struct {
	a       *app
	asJSON  bool
	raw     bool // the terminal is the AI agent's: lines end with a carriage return too
	started *agentapi.Running
	last    *agentapi.Running
}

func (t *teller) line(format string, args ...any) {
	end := "\n"
	if t.raw {
		end = "\r\n"
	}
	fmt.Fprint(t.a.c.Stderr, fmt.Sprintf(format, args...)+end)
}

func (t *teller) event(e agentapi.AgentEvent) {
	if e.Started != nil {
		t.started = e.Started
	}
	if e.Ended != nil {
		t.last = e.Ended
		return // said once the command's output is over
	}
	if t.asJSON {
		t.json(e)
		return
	}
	switch {
	case e.Warning != "":
		t.line("lanyard: warning: %s", clean(e.Warning))
	case e.Step != "":
		t.line("lanyard: %s", clean(e.Step))
	case e.Started != nil:
		t.line("lanyard: %s runs until %s and may %s.", clean(e.Started.Name), e.Started.Until.Local().Format(time.TimeOnly), clean(strings.Join(e.Started.Allowed, ", ")))
	}
}

func (t *teller) ended(x agentapi.Running, diff bool) {
	if t.asJSON {
		if !diff {
			x.Diff = ""
		}
		t.json(agentapi.AgentEvent{Ended: &x})
		return
	}
	t.a.work(t.a.c.Stderr, x, diff)
}

func (t *teller) json(e agentapi.AgentEvent) {
	quiet := *t.a
	quiet.c.Stdout = t.a.c.Stderr
	_ = quiet.json(e) // standard error is gone if this fails
}

// work shows what an AI agent handed back.
func (a *app) work(to io.Writer, x agentapi.Running, diff bool) {
	switch {
	case x.Left != "":
		fmt.Fprintf(to, "lanyard: %s\n", clean(x.Left))
	case x.State != "ended":
	case x.Checkout == agentapi.CheckoutShared:
		fmt.Fprintf(to, "lanyard: %s worked on this checkout itself; `git status` shows what it left.\n", clean(x.Name))
	case x.Branch == "":
		fmt.Fprintf(to, "lanyard: %s changed nothing.\n", clean(x.Name))
	default:
		fmt.Fprintf(to, "lanyard: the work of %s is the branch %s:\n", clean(x.Name), clean(x.Branch))
		cleanly(to, x.Stat)
		if diff && x.Diff != "" {
			fmt.Fprintln(to)
			cleanly(to, x.Diff)
		}
		if x.DiffCut || !diff {
			fmt.Fprintf(to, "lanyard: `git diff HEAD...%s` shows all of it.\n", clean(x.Branch))
		}
	}
}

// cleanly prints lines of another's, without what moves a cursor.
func cleanly(to io.Writer, text string) {
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		fmt.Fprintln(to, clean(strings.ReplaceAll(line, "\t", "    ")))
	}
}

// backWithin bounds how long this command waits for the work of an AI agent that was cut.
const backWithin = 5 * time.Minute

// after waits for the end of an AI agent whose connection is gone.
func (a *app) after(ctx context.Context, id string) *agentapi.Running {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), backWithin)
	defer cancel()
	for {
		x, err := a.agents().Agent(ctx, id)
		if err != nil {
			return nil // whoever lost the right to run it may have lost that to see it
		}
		if x.State == "ended" {
			return &x
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
