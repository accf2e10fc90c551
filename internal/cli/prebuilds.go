package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
)

func (a *app) prebuilds() *cobra.Command {
	cmd := family("prebuilds", "Checkouts that are made ready ahead, so that workspaces start faster",
		a.prebuildsList(), a.prebuildsShow(), a.prebuildsRun(), a.prebuildsDelete())
	cmd.Aliases = []string{"prebuild"}
	cmd.Long = `A prebuild is a checkout for which what runs once has run already: the init tasks of .gitpod.yml, onCreateCommand and
updateContentCommand of devcontainer.json. It is made for repositories of which the project's file says prebuilds, and a
workspace begins with the one that is the nearest to the commit that it opens, if there is one among those that led to it.`
	return cmd
}

func (a *app) prebuildsList() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the prebuilds of repositories that you may read",
		Example: "  lanyard prebuilds list",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.as(cmd, user, func(r *remote.Remote) error {
				all, err := r.Prebuilds(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return a.out.json(api.Page[api.Prebuild]{Items: append([]api.Prebuild{}, all...)})
				}
				if len(all) == 0 {
					a.out.line("No prebuilds. `prebuilds: true` below a repository in the project's file has them made; `lanyard prebuilds run URL` makes one now.")
					return nil
				}
				var rows [][]string
				for _, p := range all {
					size := ""
					if p.Size > 0 {
						size = inMiB(p.Size)
					}
					rows = append(rows, []string{p.ID, at(p.Repository, branch(p)), short(p.Commit), p.State, p.Cause, size, age(p.Created, a.c.Now()), firstLineOf(p.Message)})
				}
				a.out.table([]string{"PREBUILD", "REPOSITORY", "COMMIT", "STATE", "CAUSE", "SIZE", "AGE", "MESSAGE"}, rows)
				return nil
			})
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's objects")
	return cmd
}

func (a *app) prebuildsShow() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "show PREBUILD",
		Short:             "Show a prebuild and what was said while it was made",
		Example:           "  lanyard prebuilds show pre-abcdefghij234567",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completePrebuilds,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.as(cmd, user, func(r *remote.Remote) error {
				p, err := r.Prebuild(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return a.out.json(p)
				}
				a.out.line("%s of %s, commit %s: %s", p.ID, at(p.Repository, branch(p)), short(p.Commit), p.State)
				a.out.line("made for %s, because of: %s", p.Project, p.Cause)
				if p.Started != nil && p.Ended != nil {
					a.out.line("took %s", p.Ended.Sub(*p.Started).Round(100*time.Millisecond))
				}
				if p.Message != "" {
					a.out.line("%s", p.Message)
				}
				if p.Size > 0 && p.Expires != nil {
					a.out.line("%s, kept until %s", inMiB(p.Size), p.Expires.Local().Format(time.DateTime))
				}
				for line := range strings.Lines(p.Log) {
					a.out.line("  %s", strings.TrimRight(line, "\r\n"))
				}
				return nil
			})
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
	return cmd
}

func (a *app) prebuildsRun() *cobra.Command {
	var user string
	var asJSON, wait bool
	cmd := &cobra.Command{
		Use:     "run URL",
		Short:   "Have a prebuild of a branch made, for the project's maintainers",
		Long:    "Has a prebuild made of the branch that the URL names, the default one if it names none. `lanyard prebuilds list` shows what became of it.",
		Example: "  lanyard prebuilds run https://git.example.com/payments/api/tree/main --wait",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.as(cmd, user, func(r *remote.Remote) error {
				p, err := r.RunPrebuild(cmd.Context(), api.RunPrebuild{ContextURL: args[0]})
				for err == nil && wait && (p.State == "waiting" || p.State == "running") {
					select {
					case <-cmd.Context().Done():
						return cmd.Context().Err()
					case <-time.After(time.Second):
						p, err = r.Prebuild(cmd.Context(), p.ID)
					}
				}
				if err != nil {
					return err
				}
				if asJSON {
					err = a.out.json(p)
				} else {
					a.out.line("%s of %s, commit %s: %s", p.ID, at(p.Repository, branch(p)), short(p.Commit), p.State)
				}
				if err == nil && p.State == "failed" {
					err = statusError{exitFailed, fmt.Errorf("the prebuild failed: %s\nWhat was said: lanyard prebuilds show %s", p.Message, p.ID)}
				}
				return err
			})
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it is made or has failed")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
	return cmd
}

func (a *app) prebuildsDelete() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "delete PREBUILD…",
		Aliases:           []string{"rm"},
		Short:             "Remove prebuilds, and end those that are being made, for the project's maintainers",
		Example:           "  lanyard prebuilds delete pre-abcdefghij234567",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completePrebuilds,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.each(cmd, user, args, func(r *remote.Remote, id string) error {
				if err := r.DeletePrebuild(cmd.Context(), id); err != nil {
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

func branch(p api.Prebuild) string { return strings.TrimPrefix(p.Ref, "refs/heads/") }

func short(commit string) string { return commit[:min(len(commit), 10)] }

func firstLineOf(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// completePrebuilds offers the prebuilds that one may see.
func (a *app) completePrebuilds(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.offer(cmd, func(ctx context.Context, r *remote.Remote) (ids []cobra.Completion, err error) {
		all, err := r.Prebuilds(ctx)
		for _, p := range all {
			ids = append(ids, described(p.ID, at(p.Repository, branch(p))+" "+p.State))
		}
		return ids, err
	})
}
