package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// cleanUpWithin bounds what is still done after Ctrl-C.
const cleanUpWithin = 15 * time.Second

func (a *app) start() *cobra.Command {
	var user string
	var asJSON, yes bool
	var order api.Order
	cmd := &cobra.Command{
		Use:   "start CONTEXT-URL | WORKSPACE",
		Short: "Start a workspace on a repository, or a stopped one again",
		Long: `Starts a new workspace on a repository, or starts a stopped workspace again with its files, and shows the steps until
it runs. A context URL is a repository's, or that of a branch (…/tree/NAME), a commit (…/commit/ID) or a merge request (…/pull/7,
…/-/merge_requests/7) as their pages have it; KEY=VALUE,…/ before it sets variables in the workspace. What the repository's own
.gitpod.yml or devcontainer.json says is done; --file chooses another one of them, or none. Ctrl-C takes back what was begun: a new workspace is deleted, an old one stopped.

A workspace belongs to a person, and the operator is none: under lanyard dev, say who with --user.`,
		Example: `  lanyard start https://git.example.test/payments/api --user ada
  lanyard start https://git.example.test/payments/api/-/merge_requests/7 --class large
  lanyard start TICKET=42/https://git.example.test/payments/api --yes
  lanyard start w-abcdefghij234567 --user ada
  lanyard start https://git.example.test/payments/api --user ada --json | tail -n 1 | jq -r .id`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(a.completeStarts),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.connect(cmd.Context(), user)
			if err != nil {
				return err
			}
			defer r.Close()
			if r.Operator {
				return problem.New(problem.Denied, "The operator starts no workspaces: one belongs to a person. Under `lanyard dev`, say who with --user.")
			}
			order.ContextURL = args[0]
			if err := a.confirmVariables(&order, yes); err != nil {
				return err
			}
			if err := a.confirmSnapshot(cmd.Context(), r, &order, yes); err != nil {
				return err
			}
			return a.startOne(cmd.Context(), r, order, asJSON)
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON a step, the last the workspace")
	a.orderFlags(cmd, &order, &yes)
	return cmd
}

func (a *app) startOne(ctx context.Context, r *remote.Remote, order api.Order, asJSON bool) error {
	what := order.ContextURL
	begun := time.Now()
	var w api.Workspace
	_, notAnID := identity.ParseWorkspaceID(what)
	var err error
	ordering, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpWithin) // what was begun has to be known
	defer cancel()
	if fresh := notAnID != nil; fresh {
		w, err = r.CreateWorkspace(ordering, order)
	} else {
		w, err = r.StartWorkspace(ordering, what)
	}
	if err != nil {
		return err
	}
	if !asJSON {
		a.out.line("%s on %s", w.ID, at(w.Repository, w.Ref))
	}
	done, err := r.Follow(ctx, w.ID, func(p api.Progress) {
		if asJSON {
			_ = a.out.json(p) // a reader that has gone ends the program by SIGPIPE
			return
		}
		if !p.At.Before(begun) { // else it is of an earlier start, of a workspace that runs already
			a.step(p, begun)
		}
	})
	if errors.Is(err, context.Canceled) {
		return a.takeBack(ctx, r, w, notAnID != nil)
	}
	if err != nil {
		return err
	}
	if asJSON {
		err = a.out.json(done)
	}
	if done.Phase != "running" {
		if done.FailedStep != "" {
			return problem.New(problem.Conflict, "Workspace %s did not start. While %s: %s\n`lanyard logs %[1]s` has the steps before, `lanyard start %[1]s` tries again.", done.ID, done.FailedStep, done.Message)
		}
		return problem.New(problem.Conflict, "Workspace %s did not start: %s", done.ID, done.Message)
	}
	if !asJSON {
		a.out.line("%7s  running", elapsed(time.Since(begun)))
		if done.Terminal != "" {
			a.out.line("terminal: %s", done.Terminal)
		}
		if done.Plan != "" {
			a.out.line("what %s began: lanyard logs %s --tasks", done.Plan, done.ID)
		}
	}
	return err
}

// counting is a line of which only the latest is of interest, such as Git's "Receiving objects:  45% (9/20)".
var counting = regexp.MustCompile(`: +\d+% \(\d+/\d+\)`)

// step shows one step. Lines that count are written over on a terminal, and left out elsewhere until they are done.
func (a *app) step(p api.Progress, begun time.Time) {
	running := counting.MatchString(p.Text) && !strings.HasSuffix(p.Text, "done.")
	switch {
	case running && !a.out.colour:
		return
	case a.out.colour:
		fmt.Fprintf(a.out, "\r\x1b[K%7s  %s", elapsed(p.At.Sub(begun)), clean(p.Text))
		if !running {
			fmt.Fprintln(a.out)
		}
	default:
		a.out.line("%7s  %s", elapsed(p.At.Sub(begun)), p.Text)
	}
}

// takeBack undoes a start that was interrupted.
func (a *app) takeBack(ctx context.Context, r *remote.Remote, w api.Workspace, fresh bool) error {
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpWithin)
	defer cancel()
	if fresh {
		if err := r.ForceDeleteWorkspace(late, w.ID); err != nil {
			return problem.Wrap(err, problem.Unavailable, "Interrupted, and %s could not be deleted: %v", w.ID, err)
		}
		a.err.line("Interrupted: %s is being deleted.", w.ID)
	} else {
		if _, err := r.StopWorkspace(late, w.ID); err != nil {
			return problem.Wrap(err, problem.Unavailable, "Interrupted, and %s could not be stopped: %v", w.ID, err)
		}
		a.err.line("Interrupted: %s is being stopped.", w.ID)
	}
	return statusError{status: exitFailed}
}

// elapsed is a duration for the margin: milliseconds below ten seconds, else seconds.
func elapsed(d time.Duration) string {
	if d < 10*time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
