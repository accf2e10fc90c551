package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

func (a *app) exec() *cobra.Command {
	var user string
	var tty, noInput bool
	cmd := &cobra.Command{
		Use:   "exec WORKSPACE [--] COMMAND [ARGUMENT…]",
		Short: "Run a command in a workspace",
		Long: `Runs a command in a workspace's checkout, with its output as it comes, and ends with the command's own exit status:
125 means that Lanyard failed, 126 that it was refused or that access ended meanwhile. Flags of exec come before the
command. Only a workspace's owner may run something in it.`,
		Example: `  lanyard exec --user ada w-abcdefghij234567 -- git log --oneline
  lanyard exec --user ada w-abcdefghij234567 -- sh -c 'cat > notes.txt' < notes.txt
  lanyard exec --user ada --tty w-abcdefghij234567 -- bash -l`,
		Args:              cobra.MinimumNArgs(2),
		ValidArgsFunction: a.completeWorkspaces(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() == 0 {
				return usage("which workspace? `lanyard exec WORKSPACE -- COMMAND`")
			}
			argv := args[1:]
			if strings.HasPrefix(argv[0], "-") { // no command is called that: flags, or the -- before a command
				if err := cmd.Flags().Parse(argv); err != nil {
					return usage("%w", err)
				}
				argv = cmd.Flags().Args()
			}
			if help, err := cmd.Flags().GetBool("help"); err == nil && help {
				return cmd.Help()
			}
			if len(argv) == 0 {
				return usage("which command? `lanyard exec WORKSPACE -- COMMAND`")
			}
			status, err := a.run(cmd.Context(), user, args[0], argv, tty, noInput)
			return execStatus(status, err)
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows the workspace is the command's
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVarP(&tty, "tty", "t", false, "give the command a terminal of its own")
	cmd.Flags().BoolVarP(&noInput, "no-input", "n", false, "send it no input")
	return cmd
}

// execStatus is how exec ends.
func execStatus(status int, err error) error {
	switch {
	case err == nil && status == 0:
		return nil
	case err == nil:
		return statusError{status: status}
	}
	switch remote.KindOf(err) {
	case problem.Denied, problem.SignInNeeded, problem.StepUpNeeded, problem.ApprovalNeeded, problem.NotFound: // what one may not see is not found
		return statusError{execRefused, err}
	}
	return statusError{execFailed, err}
}

func (a *app) run(ctx context.Context, user, workspace string, argv []string, tty, noInput bool) (int, error) {
	r, err := a.connect(ctx, user)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	request := agentapi.ExecRequest{Argv: argv, TTY: tty}
	streams := agentapi.Streams{Stdin: a.c.Stdin, Stdout: a.c.Stdout, Stderr: a.c.Stderr}
	if noInput {
		streams.Stdin = nil
	}
	if tty {
		screen, err := a.screen(ctx)
		if err != nil {
			return 0, err
		}
		defer screen.restore()
		request.Size, streams.Resize = screen.size, screen.sizes
	}
	status, err := r.Exec(ctx, workspace, request, streams)
	if kind := remote.KindOf(err); kind == problem.Unavailable || kind == problem.Invalid {
		if w, unknown := r.Workspace(ctx, workspace); unknown == nil && w.Phase != "running" {
			return 0, problem.Wrap(err, problem.Unavailable, "The workspace is %s. `lanyard start %s` starts it again.", w.Phase, w.ID)
		}
	}
	return status, err
}
