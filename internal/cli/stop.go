package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
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
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:     "delete WORKSPACE…",
		Aliases: []string{"rm"},
		Short:   "Delete workspaces with their files",
		Long:    "Deletes workspaces with their files: what was not pushed is gone. On a terminal it asks first.",
		Example: `  lanyard delete w-abcdefghij234567
  lanyard delete w-abcdefghij234567 --user ada --yes`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeWorkspaces(true),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes && terminal(a.c.Stdin) && !a.confirm("Delete "+strings.Join(args, ", ")+" with all files?") {
				a.err.line("Nothing was deleted.")
				return statusError{status: exitFailed}
			}
			return a.each(cmd, user, args, func(r *remote.Remote, id string) error {
				if err := r.DeleteWorkspace(cmd.Context(), id); err != nil {
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
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was deleted, a line each")
	return cmd
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
