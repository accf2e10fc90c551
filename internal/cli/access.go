package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
)

func (a *app) access() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "access",
		Short: "List what you may do now, by project and resource",
		Long: `Lists every project, repository, app and audience that you may use now, and for what. What takes one more step is marked:
(step up) needs a stronger or fresher sign-in, (request) a person's approval. "lanyard why" explains any of it.
Asking about others takes the role auditor; the operator may.`,
		Example: `  lanyard access
  lanyard access --user linus
  lanyard access --json | jq -r '.items[] | select(.kind=="repo").resource'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			if r.Operator && user == "" {
				return usage("about whom? The operator has no access of their own: say --user USER")
			}
			list, err := r.Access(cmd.Context(), user)
			if err != nil {
				return err
			}
			if asJSON {
				return a.out.json(api.Page[api.Access]{Items: append([]api.Access{}, list...)})
			}
			a.showAccess(list)
			return nil
		},
	}
	a.aboutFlag(cmd, &user, "what this `user` may do: a user name or u-…")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's objects")
	return cmd
}

func (a *app) showAccess(list []api.Access) {
	if len(list) == 0 {
		a.out.line("Nothing: no group gives a role in a project.")
		return
	}
	rows := [][]string{}
	for _, x := range list {
		through := x.Role
		if x.Via != "" {
			through += " through " + x.Via
		}
		var may []string
		for _, d := range x.Actions {
			text := d.Action
			if d.Decision != "allow" {
				text += " (" + d.Decision + ")"
			}
			may = append(may, text)
		}
		rows = append(rows, []string{x.Project, x.Resource, strings.Join(may, ", "), through})
	}
	a.out.table([]string{"PROJECT", "RESOURCE", "MAY", "RESTS ON"}, rows)
}
