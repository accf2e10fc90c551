package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
)

func (a *app) stop() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stop WORKSPACE…",
		Short: "Stop workspaces; their files are kept",
		Long:  "Stops workspaces and returns when they are stopped. Files are kept; `lanyard start WORKSPACE` goes on with them.",
		Example: `  lanyard stop w-abcdefghij234567
  lanyard stop w-abcdefghij234567 --user ada`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeWorkspaces(true),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.each(cmd, user, args, func(r *remote.Remote, id string) error {
				if _, err := r.StopWorkspace(cmd.Context(), id); err != nil {
					return err
				}
				w, err := r.Follow(cmd.Context(), id, func(api.Progress) {})
				if err != nil {
					return err
				}
				if asJSON {
					return a.out.json(w)
				}
				a.out.line("%s stopped; its files are kept", id)
				return nil
			})
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print each workspace, a line each")
	return cmd
}

func (a *app) delete() *cobra.Command {
	var user string
	var yes, force, asJSON bool
	cmd := &cobra.Command{
		Use:     "delete WORKSPACE…",
		Aliases: []string{"rm"},
		Short:   "Delete workspaces with their files",
		Long: `Deletes workspaces with their files. A workspace that holds what no remote has (files that are not committed, commits that
are not pushed, stashes) is deleted only with --force: it shows what would be lost and, on a terminal, asks.`,
		Example: `  lanyard delete w-abcdefghij234567
  lanyard delete w-abcdefghij234567 --user ada --yes
  lanyard delete w-abcdefghij234567 --force`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeWorkspaces(true),
		RunE: func(cmd *cobra.Command, args []string) error {
			asks := !yes && !force && terminal(a.c.Stdin)
			if asks && !a.confirm("Delete "+strings.Join(args, ", ")+" with all files?") {
				a.err.line("Nothing was deleted.")
				return statusError{status: exitFailed}
			}
			return a.each(cmd, user, args, func(r *remote.Remote, id string) error {
				if err := a.deleteOne(cmd.Context(), r, id, force, asks); err != nil {
					return err
				}
				if asJSON {
					return a.out.json(map[string]any{"id": id, "deleted": true})
				}
				a.out.line("%s deleted", id)
				return nil
			})
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask; what holds work that is not pushed is refused all the same")
	cmd.Flags().BoolVar(&force, "force", false, "delete also what is not committed or not pushed")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was deleted, a line each")
	return cmd
}

// deleteOne deletes a workspace. Where work would be lost, it shows what, and asks if there is somebody to ask.
func (a *app) deleteOne(ctx context.Context, r *remote.Remote, id string, force, asks bool) error {
	if force {
		return r.ForceDeleteWorkspace(ctx, id)
	}
	err := r.DeleteWorkspace(ctx, id)
	if remote.KindOf(err) != problem.Conflict {
		return err
	}
	if u, failed := r.Unsaved(ctx, id); failed == nil {
		a.sayUnsaved(u)
	}
	if !asks {
		return err
	}
	a.err.line("%s", err)
	if !a.confirm("Delete " + id + " all the same?") {
		a.err.line("It was not deleted.")
		return statusError{status: exitFailed}
	}
	return r.ForceDeleteWorkspace(ctx, id)
}

// sayUnsaved names what would be lost.
func (a *app) sayUnsaved(u api.Unsaved) {
	for _, c := range u.Checkouts {
		for _, f := range c.Files {
			a.err.line("  %s: %s", c.Folder, f)
		}
		if more := c.Changed - len(c.Files); more > 0 {
			a.err.line("  %s: and %d more files", c.Folder, more)
		}
		for _, commit := range c.Commits {
			a.err.line("  %s: not pushed: %s", c.Folder, commit)
		}
		if more := c.Unpushed - len(c.Commits); more > 0 {
			a.err.line("  %s: and %d more commits", c.Folder, more)
		}
	}
}

// each does something to several workspaces. One that fails is reported and does not keep the others from being done.
func (a *app) each(cmd *cobra.Command, user string, ids []string, do func(*remote.Remote, string) error) error {
	r, err := a.connect(cmd.Context(), user)
	if err != nil {
		return err
	}
	defer r.Close()
	if len(ids) == 1 {
		return do(r, ids[0])
	}
	var failed error
	for _, id := range ids {
		if err := do(r, id); err != nil {
			a.report(fmt.Errorf("%s: %w", id, err))
			failed = errors.Join(failed, err)
		}
		if cmd.Context().Err() != nil {
			return cmd.Context().Err()
		}
	}
	if failed != nil {
		return statusError{status: statusOf(failed)}
	}
	return nil
}

// confirm asks a yes-or-no question on the terminal; anything but yes is no.
func (a *app) confirm(question string) bool {
	fmt.Fprintf(a.err, "%s [y/N] ", clean(question))
	answer, _ := bufio.NewReader(a.c.Stdin).ReadString('\n') // the end of input is a no
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}
