package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
)

func (a *app) whoami() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "whoami",
		Short: "Show who you are to Lanyard: your sign-in, its age and strength, roles and groups",
		Long: `Shows who asks, and where: a person who signed in, by "lanyard login" or as a sample user with --user, or the operator.
For a person it shows the sign-in with its age, strength and end, the roles they hold, and the groups that give them.`,
		Example: `  lanyard whoami
  lanyard whoami --context lanyard.example.com
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
			if !me.Operator {
				a.out.line("at %s", r.URL)
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
	if me.SignIn != nil {
		a.out.line("%s", signedInWords(*me.SignIn, a.c.Now()))
	}
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

// signedInWords says when, where and how strongly somebody signed in, and until when it holds.
func signedInWords(in api.SignIn, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "signed in %s (%s)", ago(in.At, now), in.At.Local().Format(time.DateTime))
	if in.IP != "" {
		fmt.Fprintf(&b, " from %s", in.IP)
	}
	strength := in.Strength
	if len(in.Contexts) > 0 {
		strength = strings.TrimSpace(strength + " with " + strings.Join(in.Contexts, ", "))
	}
	if strength != "" {
		fmt.Fprintf(&b, ", strength %s", strength)
	}
	fmt.Fprintf(&b, ", until %s", in.Expires.Local().Format(time.DateTime))
	if s, ok := here(in); ok {
		fmt.Fprintf(&b, "; session %s (%s", s.ID, s.Kind)
		if s.Device != "" {
			fmt.Fprintf(&b, " on %s", s.Device)
		}
		b.WriteString(")")
	}
	return b.String()
}
