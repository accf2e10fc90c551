package cli

import (
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
				rows = append(rows, []string{w.ID, w.Phase, w.OwnerName, w.Project, at(w.Repository, w.Ref), age(w.Created, a.c.Now()), w.Message})
			}
			a.out.table([]string{"WORKSPACE", "PHASE", "OWNER", "PROJECT", "REPOSITORY", "AGE", "MESSAGE"}, rows)
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
