package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
)

func (a *app) whoami() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "whoami",
		Short: "Show who you are to Lanyard, and through which groups",
		Long: `Shows who asks: the operator, or a sample user with --user. For a user it lists the roles they hold, and the groups
that give them.`,
		Example: `  lanyard whoami
  lanyard whoami --user ada --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.connect(cmd.Context(), user)
			if err != nil {
				return err
			}
			defer r.Close()
			me, err := r.Me(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return a.out.json(me)
			}
			a.showMe(me)
			return nil
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
	return cmd
}

func (a *app) showMe(me api.Me) {
	if me.Operator {
		a.out.line("You are the operator: the owner of the server's socket %s.", a.socketPath())
		return
	}
	a.out.line("%s (%s), %s", me.Name, me.UserName, me.User)
	if len(me.Roles) > 0 {
		a.out.line("roles of the installation: %s", strings.Join(me.Roles, ", "))
	}
	if len(me.Projects) == 0 {
		a.out.line("No project: none of your groups has a role in one.")
	} else {
		rows := [][]string{}
		for _, p := range me.Projects {
			rows = append(rows, []string{p.Name, p.Role, through(p.Via, p.Path)})
		}
		a.out.line("")
		a.out.table([]string{"PROJECT", "ROLE", "THROUGH"}, rows)
	}
	if len(me.Groups) > 0 {
		rows := [][]string{}
		for _, g := range me.Groups {
			how := "directly"
			if len(g.Path) > 1 {
				how = "by " + strings.Join(g.Path[1:], ", ")
			}
			rows = append(rows, []string{g.Name, how, g.ID})
		}
		a.out.line("")
		a.out.table([]string{"GROUP", "MEMBER", "ID"}, rows)
	}
}
