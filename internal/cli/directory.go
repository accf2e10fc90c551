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

func (a *app) directory() *cobra.Command {
	cmd := family("directory", "Show users and groups as Lanyard has them from the tenant", a.directoryShow(), a.directoryStatus(), a.directoryList())
	cmd.Long = `Shows what the directory says now: who is enabled, who is in which group and through which, who holds an app role, what
follows from that, and how old it is. It takes the role admin or auditor; the operator may.`
	cmd.Example = `  lanyard directory show ada
  lanyard directory show payments-engineers
  lanyard directory status`
	return cmd
}

// asked runs a question about the directory, as the operator or a sample user.
func (a *app) asked(cmd *cobra.Command, user *string, asJSON *bool) func(func(context.Context, *remote.Remote) (any, error), func(any)) error {
	return func(ask func(context.Context, *remote.Remote) (any, error), show func(any)) error {
		r, err := a.connect(cmd.Context(), *user)
		if err != nil {
			return err
		}
		defer r.Close()
		said, err := ask(cmd.Context(), r)
		if err != nil {
			return err
		}
		if *asJSON {
			return a.out.json(said)
		}
		show(said)
		return nil
	}
}

func (a *app) directoryShow() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show USER|GROUP",
		Short: "Show a user or a group, and what follows from it",
		Long: `Shows a user: the record, whether another source has the user disabled, the groups and how the user is in each, app roles,
and the projects and roles that follow. Of a group: its members, the groups that contain it, and the roles that it holds.
USER is an object ID, u-…, a user principal name or the part before its "@"; GROUP an object ID, app-role:VALUE, or a name
that only one group has.`,
		Example: `  lanyard directory show ada
  lanyard directory show 5c0d1b3e-0a5c-4d0e-9d6f-2f0f6f1f7a11 --json
  lanyard directory show app-role:Payments.Lead`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeDirectory,
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.asked(cmd, &user, &asJSON)(
			func(ctx context.Context, r *remote.Remote) (any, error) { return r.DirectoryEntry(ctx, args[0]) },
			func(said any) {
				if e := said.(api.DirectoryEntry); e.User != nil {
					a.showDirectoryUser(*e.User)
				} else if e.Group != nil {
					a.showDirectoryGroup(*e.Group)
				}
			})
	}
	return cmd
}

func (a *app) directoryStatus() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show where the directory comes from, how old it is, and how much is in it",
		Example: `  lanyard directory status
  lanyard directory status --json`,
		Args: cobra.NoArgs,
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.asked(cmd, &user, &asJSON)(
			func(ctx context.Context, r *remote.Remote) (any, error) { return r.Directory(ctx) },
			func(said any) { a.showDirectory(said.(api.Directory)) })
	}
	return cmd
}

// directoryListing is what `directory list` prints.
type directoryListing struct {
	Users  []api.DirectoryUser  `json:"users"`
	Groups []api.DirectoryGroup `json:"groups"`
}

func (a *app) directoryList() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all users and groups",
		Long: `Lists all users, with the groups that they are in directly, and all groups and app roles. With --json it is one object with
users and groups, each sorted by object ID.`,
		Example: `  lanyard directory list
  lanyard directory list --json | jq -r '.users[] | select(.active | not) | .user_name'`,
		Args: cobra.NoArgs,
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one object with the API's objects")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.asked(cmd, &user, &asJSON)(
			func(ctx context.Context, r *remote.Remote) (any, error) {
				users, err := r.DirectoryUsers(ctx)
				if err != nil {
					return nil, err
				}
				groups, err := r.DirectoryGroups(ctx)
				return directoryListing{append([]api.DirectoryUser{}, users...), append([]api.DirectoryGroup{}, groups...)}, err
			},
			func(said any) {
				l := said.(directoryListing)
				rows := [][]string{}
				for _, u := range l.Users {
					rows = append(rows, []string{u.UserName, u.Name, state(u), fmt.Sprint(len(u.DirectGroups)), u.Object})
				}
				a.out.table([]string{"USER", "NAME", "STATE", "GROUPS", "ID"}, rows)
				rows = [][]string{}
				for _, g := range l.Groups {
					rows = append(rows, []string{g.Name, fmt.Sprint(g.Users), fmt.Sprint(g.Groups), kind(g), g.ID})
				}
				a.out.line("")
				a.out.table([]string{"GROUP", "USERS", "GROUPS", "KIND", "ID"}, rows)
			})
	}
	return cmd
}

func state(u api.DirectoryUser) string {
	switch {
	case !u.Enabled && u.Blocked:
		return "disabled in both sources"
	case !u.Enabled:
		return "disabled"
	case u.Blocked:
		return "disabled by the provisioning service"
	}
	return "enabled"
}

func kind(g api.DirectoryGroup) string {
	var words []string
	switch {
	case g.AppRole != "":
		return "app role"
	case g.Security:
		words = append(words, "security group")
	default:
		words = append(words, "not a security group")
	}
	if g.Assigned {
		words = append(words, "assigned")
	}
	return strings.Join(words, ", ")
}

func (a *app) showDirectoryUser(u api.DirectoryUserDetail) {
	a.out.line("%s (%s), %s", u.Name, u.UserName, u.ID)
	a.out.line("  state     %s", state(u.DirectoryUser))
	if u.Mail != "" {
		a.out.line("  mail      %s", u.Mail)
	}
	if !u.SignInsFrom.IsZero() {
		a.out.line("  sign-ins  those before %s were ended at the tenant", u.SignInsFrom.Local().Format(time.DateTime))
	}
	a.out.line("  alive     %d sign-ins", u.SignIns)
	if len(u.Roles) > 0 {
		a.out.line("  roles     %s of the installation", strings.Join(u.Roles, ", "))
	}
	if len(u.Projects) > 0 {
		rows := [][]string{}
		for _, p := range u.Projects {
			rows = append(rows, []string{p.Name, p.Role, through(p.Via, p.Path)})
		}
		a.out.line("")
		a.out.table([]string{"PROJECT", "ROLE", "THROUGH"}, rows)
	}
	rows := [][]string{}
	for _, list := range [][]api.Group{u.Groups, u.AppRoles} {
		for _, g := range list {
			how := "directly"
			if len(g.Path) > 1 {
				how = "by " + strings.Join(g.Path[1:], ", ")
			}
			rows = append(rows, []string{g.Name, how, g.ID})
		}
	}
	if len(rows) > 0 {
		a.out.line("")
		a.out.table([]string{"GROUP", "MEMBER", "ID"}, rows)
	}
}

func (a *app) showDirectoryGroup(g api.DirectoryGroupDetail) {
	a.out.line("%s, %s", g.Name, g.ID)
	a.out.line("  kind      %s", kind(g.DirectoryGroup))
	a.out.line("  members   %d users and %d groups directly; %d users in all", g.Users, g.Groups, g.Below)
	if len(g.Roles) > 0 {
		a.out.line("  roles     %s of the installation", strings.Join(g.Roles, ", "))
	}
	for _, p := range g.Projects {
		a.out.line("  project   %s of %s", p.Role, p.Name)
	}
	for _, in := range g.In {
		a.out.line("  in        %s (%s)", in.Name, in.ID)
	}
}

func (a *app) showDirectory(d api.Directory) {
	from := map[string]string{
		"graph": "Microsoft Graph", "scim": "the tenant's provisioning service (SCIM)", "sign-in": "each person's own sign-in",
	}[d.Members]
	a.out.line("memberships come from %s", from)
	if d.AsOf.IsZero() {
		a.out.line("  age       never read: nothing is allowed")
	} else {
		a.out.line("  age       %s, %s; nothing new after %s, open access closes after %s",
			seconds(d.AgeSeconds), d.State, seconds(d.StaleAfterSeconds), seconds(d.CloseAfterSeconds))
	}
	a.out.line("  users     %d, of whom %d are disabled; %d disabled by the other source", d.Users, d.Disabled, d.Blocked)
	a.out.line("  groups    %d, and %d app roles; %d direct memberships", d.Groups, d.AppRoles, d.Memberships)
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}

// completeDirectory offers users, and groups by name.
func (a *app) completeDirectory(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	r, err := a.reach(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer r.Close()
	var names []cobra.Completion
	var users api.Page[api.DirectoryUser]
	if err := r.Do(ctx, "GET", "/users", nil, nil, &users); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, u := range users.Items {
		names = append(names, cobra.CompletionWithDesc(clean(u.UserName), clean(u.Name)))
	}
	var groups api.Page[api.DirectoryGroup]
	if err := r.Do(ctx, "GET", "/groups", nil, nil, &groups); err == nil {
		for _, g := range groups.Items {
			names = append(names, cobra.CompletionWithDesc(clean(g.ID), clean(g.Name)))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
