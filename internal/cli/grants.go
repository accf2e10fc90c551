package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
)

func (a *app) grants() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "grants",
		Short: "List what holds by somebody's approval, delegation or break-glass",
		Long: `Lists the grants that hold now: approved requests, what is delegated to AI agents, and roles given by breaking the
glass. Each ends by itself; "lanyard revoke grant" ends one before.`,
		Example: `  lanyard grants
  lanyard grants --user ada --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			list, err := r.Grants(cmd.Context(), user)
			if err != nil {
				return err
			}
			if asJSON {
				return a.out.json(api.Page[api.Grant]{Items: append([]api.Grant{}, list...)})
			}
			if len(list) == 0 {
				a.out.line("No grants hold now.")
				return nil
			}
			a.showGrants(list)
			return nil
		},
	}
	a.aboutFlag(cmd, &user, "only those of this `user`: a user name or u-…")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's objects")
	return cmd
}

func (a *app) showGrants(list []api.Grant) {
	rows := [][]string{}
	for _, g := range list {
		rows = append(rows, []string{g.ID, g.Kind, g.UserName, gives(g), g.ByName, g.Until.Local().Format(time.DateTime), g.Why})
	}
	a.out.table([]string{"GRANT", "KIND", "WHO", "GIVES", "BY", "UNTIL", "WHY"}, rows)
}

// gives is what a grant gives, in a few words.
func gives(g api.Grant) string {
	if g.Role != "" {
		return g.Role + " of " + g.Project
	}
	text := strings.Join(g.Allowed, ", ")
	if g.Agent != "" {
		text = "to AI agent " + g.Agent + ": " + text
	}
	return text
}

func (a *app) breakGlass() *cobra.Command {
	var user, why, wanted string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "break-glass USER PROJECT ROLE --why TEXT",
		Short: "Give a role without approval, for an hour at most; raises an alarm",
		Long: `Gives a user a role in a project now, without a group and without approval: for the night in which who could approve
cannot be reached. The operator may, and an administrator for somebody else; nobody for themselves. It ends by itself
after an hour at most, and what it opened closes then. It raises an alarm: in the audit log, in the server's log, and
above the list of leases as long as it holds.`,
		Example: `  lanyard break-glass ada@contoso.example payments maintainer --why "outage 4711, approvers unreachable" --for 30m`,
		Args:    cobra.ExactArgs(3),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			switch len(args) {
			case 0:
				return a.completeUsers(cmd, args, typed)
			case 2:
				return []cobra.Completion{"viewer", "developer", "maintainer"}, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if why == "" {
				return noReason(cmd)
			}
			r, err := a.connect(cmd.Context(), user)
			if err != nil {
				return err
			}
			defer r.Close()
			g, err := r.BreakGlass(cmd.Context(), api.BreakGlass{User: args[0], Project: args[1], Role: args[2], Why: why, For: wanted})
			if err != nil {
				return err
			}
			if asJSON {
				return a.out.json(g)
			}
			a.out.line("%s is %s of %s until %s, and the alarm is raised. `lanyard revoke grant %s` ends it before.", g.UserName, g.Role, g.Project,
				g.Until.Local().Format(time.DateTime), g.ID)
			return nil
		},
	}
	cmd.Flags().StringVar(&user, "as", "", "under `lanyard dev`: as this sample `user`, an administrator, not as the operator")
	_ = cmd.RegisterFlagCompletionFunc("as", a.completeUsers) // fails for an unknown flag only
	cmd.Flags().StringVar(&why, "why", "", "the `reason`")
	cmd.Flags().StringVar(&wanted, "for", "", "how `long` (default 30m, at most 1h)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
	return cmd
}

// completeActions offers the actions that can be asked for.
func completeActions(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []cobra.Completion{"repo:read", "repo:write", "app:call", "workspace:create", "workspace:open"}, cobra.ShellCompDirectiveNoFileComp
}
