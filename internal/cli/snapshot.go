package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
)

func (a *app) snapshot() *cobra.Command {
	cmd := family("snapshot", "Keep copies of checkouts, and start workspaces from them",
		a.snapshotCreate(), a.snapshotList(), a.snapshotOpen(), a.snapshotDelete())
	cmd.Long = `A snapshot is a copy of a checkout as it was, committed or not, without what Git ignores and without the home folder. Who
opens one needs to be allowed to read its repository that day, with a fresh sign-in where that takes one.`
	return cmd
}

func (a *app) snapshotCreate() *cobra.Command {
	var user, note string
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "create WORKSPACE",
		Short:             "Keep a copy of the checkout of a running workspace",
		Example:           `  lanyard snapshot create w-abcdefghij234567 --note "before the upgrade"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeWorkspaces(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.as(cmd, user, func(r *remote.Remote) error {
				s, err := r.TakeSnapshot(cmd.Context(), args[0], api.TakeSnapshot{Note: note})
				if err != nil {
					return err
				}
				if asJSON {
					return a.out.json(s)
				}
				a.out.line("%s of %s, %s, kept until %s", s.ID, holds(s), inMiB(s.Size), s.Expires.Local().Format(time.DateTime))
				a.out.line("%s", s.URL)
				return nil
			})
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().StringVar(&note, "note", "", "what it is `for`, to be read in lists")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
	return cmd
}

func (a *app) snapshotList() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List your snapshots, and those that you may end",
		Example: `  lanyard snapshot list --json | jq -r '.items[].url'`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.as(cmd, user, func(r *remote.Remote) error {
				all, err := r.Snapshots(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return a.out.json(api.Page[api.Snapshot]{Items: append([]api.Snapshot{}, all...)})
				}
				if len(all) == 0 {
					a.out.line("No snapshots. `lanyard snapshot create WORKSPACE` takes one.")
					return nil
				}
				var rows [][]string
				for _, s := range all {
					rows = append(rows, []string{s.ID, s.OwnerName, at(s.Repository, s.Branch), holds(s), inMiB(s.Size), age(s.Created, a.c.Now()), s.Expires.Local().Format(time.DateOnly), s.Note})
				}
				a.out.table([]string{"SNAPSHOT", "OWNER", "REPOSITORY", "HOLDS", "SIZE", "AGE", "EXPIRES", "NOTE"}, rows)
				return nil
			})
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's objects")
	return cmd
}

func (a *app) snapshotOpen() *cobra.Command {
	var user string
	var asJSON, yes bool
	cmd := &cobra.Command{
		Use:               "open SNAPSHOT",
		Short:             "Start a workspace from a snapshot",
		Example:           `  lanyard snapshot open snap-abcdefghij234567`,
		Long:              "Starts a new workspace whose checkout is the snapshot's; `lanyard start snapshot/ID` does the same. Another person's is shown first, and asked about.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeSnapshots,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.as(cmd, user, func(r *remote.Remote) error {
				order := api.Order{ContextURL: "snapshot/" + args[0]}
				if err := a.confirmSnapshot(cmd.Context(), r, &order, yes); err != nil {
					return err
				}
				return a.startOne(cmd.Context(), r, order, asJSON)
			})
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON a step, the last the workspace")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "open another person's snapshot without asking")
	return cmd
}

func (a *app) snapshotDelete() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "delete SNAPSHOT…",
		Aliases:           []string{"rm"},
		Short:             "Remove snapshots",
		Example:           `  lanyard snapshot delete snap-abcdefghij234567`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeSnapshots,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.each(cmd, user, args, func(r *remote.Remote, id string) error {
				if err := r.DeleteSnapshot(cmd.Context(), id); err != nil {
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
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was deleted, a line each")
	return cmd
}

// holds says what a snapshot is of.
func holds(s api.Snapshot) string {
	commit := s.Commit
	if len(commit) > 10 {
		commit = commit[:10]
	}
	switch {
	case commit == "":
		return "files without a commit"
	case s.Uncommitted:
		return commit + " and changes"
	}
	return commit
}

func inMiB(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// completeSnapshots offers one's own snapshots.
func (a *app) completeSnapshots(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.offer(cmd, func(ctx context.Context, r *remote.Remote) (ids []cobra.Completion, err error) {
		all, err := r.Snapshots(ctx)
		for _, s := range all {
			ids = append(ids, described(s.ID, at(s.Repository, s.Branch)+" "+s.Note))
		}
		return ids, err
	})
}

// completeVariables offers the names that are set.
func (a *app) completeVariables(cmd *cobra.Command, s scope, _ []string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.offer(cmd, func(ctx context.Context, r *remote.Remote) (names []cobra.Completion, err error) {
		all, err := r.Variables(ctx, s.project)
		for _, v := range all {
			if v.Repository == s.repository {
				names = append(names, described(v.Name, v.By))
			}
		}
		return names, err
	})
}
