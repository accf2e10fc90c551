package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
)

func (a *app) list() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List workspaces",
		Long:    "Lists the workspaces that you may see, newest first: the operator sees all of them, a user their own.",
		Example: `  lanyard list
  lanyard list --user ada
  lanyard list --json | jq -r '.items[].id'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.connect(cmd.Context(), user)
			if err != nil {
				return err
			}
			defer r.Close()
			list, err := r.Workspaces(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return a.out.json(api.Page[api.Workspace]{Items: append([]api.Workspace{}, list...)})
			}
			if len(list) == 0 {
				a.out.line("No workspaces. `lanyard start REPOSITORY-URL` makes one.")
				return nil
			}
			rows := [][]string{}
			for _, w := range list {
				rows = append(rows, []string{
					w.ID, phaseOf(w), w.OwnerName, w.Project, at(w.Repository, w.Ref), w.Class, imageOf(w), age(w.Created, a.c.Now()), age(w.Used, a.c.Now()), messageOf(w),
				})
			}
			a.out.table([]string{"WORKSPACE", "PHASE", "OWNER", "PROJECT", "REPOSITORY", "CLASS", "IMAGE", "AGE", "USED", "MESSAGE"}, rows)
			return nil
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's objects")
	return cmd
}

// at is a repository and the ref that is not its default branch.
func at(repository, ref string) string {
	if ref == "" {
		return repository
	}
	return repository + " " + ref
}

// phaseOf is a workspace's phase with its place, while it waits.
func phaseOf(w api.Workspace) string {
	switch {
	case w.Queue != nil:
		return fmt.Sprintf("%s %d/%d", w.Phase, w.Queue.At, w.Queue.Of)
	case w.Phase == "stopped" && !w.Archived.IsZero():
		return "archived"
	}
	return w.Phase
}

// imageOf is an image's name without its digest, or the beginning of the digest of an image that has no name; --json has all of it.
func imageOf(w api.Workspace) string {
	name, _, _ := strings.Cut(w.Image, "@")
	if digest, ok := strings.CutPrefix(name, "sha256:"); ok && len(digest) > 12 {
		return "sha256:" + digest[:12]
	}
	return name
}

// messageOf is what is to be known of a workspace, the most pressing first.
func messageOf(w api.Workspace) string {
	first, _, more := strings.Cut(w.Message, "\n")
	if more {
		first += " …"
	}
	switch {
	case w.Message != "" && w.FailedStep != "":
		return w.FailedStep + ": " + first
	case w.Message != "":
		return first
	case w.Notice != "":
		return w.Notice
	case w.Unsaved != nil && w.Unsaved.Changed+w.Unsaved.Unpushed+w.Unsaved.Stashes > 0:
		return "has work that is not pushed"
	case !w.Goes.IsZero():
		return "is deleted on " + w.Goes.Format("2006-01-02")
	}
	return ""
}
