package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
)

func (a *app) leases() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "leases",
		Short: "List what is open now, and what was ended lately",
		Long: `Lists every access that is open now with the role and the group that it rests on, and those that were ended lately
with the reason.`,
		Example: `  lanyard leases
  lanyard leases --user ada
  lanyard leases --json | jq -r '.open[].id'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			l, err := r.Leases(cmd.Context(), user)
			if err != nil {
				return err
			}
			if asJSON {
				return a.out.json(l)
			}
			a.showLeases(l)
			return nil
		},
	}
	a.aboutFlag(cmd, &user, "only those of this `user`: a user name or u-…")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
	return cmd
}

func (a *app) showLeases(l api.Leases) {
	now := a.c.Now()
	if len(l.Alarms) > 0 {
		a.out.line("%s", "ALARM: the glass is broken. Roles given without approval hold now:")
		a.showGrants(l.Alarms)
		a.out.line("")
	}
	if len(l.Open) == 0 {
		a.out.line("Nothing is open.")
	} else {
		rows := [][]string{}
		for _, x := range l.Open {
			rows = append(rows, []string{x.ID, who(x), x.Action, x.Resource, roleThrough(x), age(x.Opened, now)})
		}
		a.out.table([]string{"LEASE", "WHO", "ACTION", "RESOURCE", "RESTS ON", "OPEN FOR"}, rows)
	}
	if l.More > 0 {
		a.out.line("… and %d older ones", l.More)
	}
	if len(l.Ended) == 0 {
		return
	}
	rows := [][]string{}
	for _, x := range l.Ended {
		rows = append(rows, []string{x.ID, who(x), x.Action, x.Resource, age(x.Ended, now), x.Reason})
	}
	a.out.line("")
	a.out.table([]string{"ENDED", "WHO", "ACTION", "RESOURCE", "AGO", "REASON"}, rows)
}

func who(l api.Lease) string {
	name := l.UserName
	if name == "" {
		name = l.User
	}
	switch {
	case name == "":
		return l.Actor
	case l.Actor != "": // an AI agent of theirs
		return name + " (" + l.Actor + ")"
	}
	return name
}

func roleThrough(l api.Lease) string {
	if l.Role == "" {
		return ""
	}
	if l.Via == "" {
		return l.Role
	}
	return l.Role + " through " + l.Via
}

func (a *app) revoke() *cobra.Command {
	one := func(kind, use, short, example string) *cobra.Command {
		var user string
		var asJSON bool
		cmd := &cobra.Command{
			Use: kind + " " + use, Short: short, Example: example, Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				r, err := a.connect(cmd.Context(), user)
				if err != nil {
					return err
				}
				defer r.Close()
				return a.revokeOne(cmd, r, kind, args[0], asJSON)
			},
		}
		switch kind {
		case api.RevokeUser:
			cmd.ValidArgsFunction = a.completeUsers
		case api.RevokeSession:
			cmd.ValidArgsFunction = a.completeSessions
		case api.RevokeLease:
			cmd.ValidArgsFunction = a.completeLeases
		case api.RevokeGrant:
			cmd.ValidArgsFunction = a.completeGrants
		}
		a.signInFlag(cmd, &user)
		cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
		return cmd
	}
	cmd := family("revoke", "End a user's sign-ins, a session, one open access, or a grant",
		one(api.RevokeUser, "USER", "End all sign-ins of a user; who is still enabled may sign in again", "  lanyard revoke user ada@contoso.example"),
		one(api.RevokeSession, "SESSION", "End a session and what hangs below it", "  lanyard revoke session s-abcdefghij234567"),
		one(api.RevokeLease, "LEASE", "End one open access", "  lanyard revoke lease l-abcdefghij234567"),
		one(api.RevokeGrant, "GRANT", "End a grant, and what is open because of it", "  lanyard revoke grant g-abcdefghij234567"),
	)
	cmd.Long = `Ends access now, without asking the tenant: it works also when the tenant or the database is down. What was closed
here but could not be recorded yet is said.`
	cmd.Example = `  lanyard revoke user ada@contoso.example
  lanyard revoke lease l-abcdefghij234567`
	return cmd
}

func (a *app) revokeOne(cmd *cobra.Command, r *remote.Remote, kind, id string, asJSON bool) error {
	wholeSignIn := kind == api.RevokeSession && strings.HasPrefix(id, "i-")
	if prefix, needs := map[string]string{api.RevokeSession: "s-", api.RevokeLease: "l-", api.RevokeGrant: "g-"}[kind]; needs && !wholeSignIn && !strings.HasPrefix(id, prefix) {
		return usage("%q is no %s: its ID begins with %s", id, kind, prefix)
	}
	done, err := r.Revoke(cmd.Context(), api.Revoke{Kind: kind, ID: id})
	if err != nil {
		return err
	}
	if asJSON {
		return a.out.json(done)
	}
	message := done.Message
	if message == "" {
		message = "revoked"
	}
	a.out.line("%s", message)
	if !done.Recorded {
		return problem.New(problem.Unavailable, "It is closed here, and not yet recorded: the database cannot be written.")
	}
	return nil
}
