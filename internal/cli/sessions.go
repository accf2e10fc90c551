package cli

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
)

func (a *app) sessions() *cobra.Command {
	list := func(use string) *cobra.Command {
		var user string
		var ended, asJSON bool
		cmd := &cobra.Command{
			Use: use, Short: "List sign-ins and the sessions below them: device, place, age, strength",
			Example: `  lanyard sessions
  lanyard sessions --user ada
  lanyard sessions --json | jq -r '.items[].sessions[].id'`,
			RunE: func(cmd *cobra.Command, args []string) error {
				if len(args) > 0 {
					return usage("`lanyard sessions` knows no %q: there are list and end%s", args[0], didYouMean(args[0], []string{"list", "end"}))
				}
				r, err := a.reach(cmd.Context())
				if err != nil {
					return err
				}
				defer r.Close()
				of := user
				if of == "" && r.Operator {
					of = "*"
				}
				rows, err := r.SignIns(cmd.Context(), of)
				if err != nil {
					return err
				}
				if asJSON {
					return a.out.json(api.Page[api.SignIn]{Items: append([]api.SignIn{}, rows...)})
				}
				a.showSessions(rows, user != "" || r.Operator, ended)
				return nil
			},
		}
		a.aboutFlag(cmd, &user, "those of this `user`: a user name or u-…, or * for everybody's (takes a role)")
		cmd.Flags().BoolVar(&ended, "ended", false, "those that ended lately, too")
		cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's objects, with those that ended and those of single sites")
		return cmd
	}
	cmd := list("sessions")
	cmd.Args = cobra.ArbitraryArgs
	cmd.Long = `Lists where you are signed in: browsers, machines on which you ran "lanyard login", programs that you let act for you,
your workspaces and the AI agents in them; each with its place and age. A sign-in (i-…) is one authentication at the
tenant, and a session (s-…) hangs below it: ending the sign-in ends them all. An asterisk marks the session that asks.
Administrators and auditors see those of others with --user; the operator sees everybody's.`
	sub := list("list")
	sub.Args = cobra.NoArgs
	cmd.AddCommand(sub, a.sessionsEnd())
	return cmd
}

// showSessions shows live sessions, and with ended those that are over, under their sign-ins.
func (a *app) showSessions(signIns []api.SignIn, whose, ended bool) {
	now := a.c.Now()
	rows := [][]string{}
	for _, in := range signIns {
		over := !in.Ended.IsZero() || !now.Before(in.Expires)
		if over && !ended {
			continue
		}
		shown := 0
		for _, s := range in.Sessions {
			if s.Kind == "site" || (!s.Ended.IsZero() || over) && !ended { // a site's ends with its browser's
				continue
			}
			shown++
			rows = append(rows, sessionRow(in, s, now))
		}
		if shown == 0 {
			rows = append(rows, sessionRow(in, api.Session{Kind: "sign-in only", Current: in.Current}, now))
		}
	}
	heading := []string{"", "SESSION", "KIND", "WHERE", "PLACE", "SIGNED IN", "STRENGTH", "ENDS", "SIGN-IN", "WHOSE"}
	if !whose {
		heading = heading[:len(heading)-1]
		for i := range rows {
			rows[i] = rows[i][:len(heading)]
		}
	}
	if len(rows) == 0 {
		a.out.line("No sessions.")
		return
	}
	a.out.table(heading, rows)
}

func sessionRow(in api.SignIn, s api.Session, now time.Time) []string {
	mark := " "
	if s.Current {
		mark = "*"
	}
	where := in.Device
	switch {
	case s.Agent != "":
		where = s.Agent + " in " + s.Workspace
	case s.Workspace != "":
		where = s.Workspace
	case s.Device != "":
		where = s.Device
	}
	if s.Client != "" && s.Kind == "client" {
		where = strings.TrimSpace(s.Client + " " + s.Device)
	}
	strength := in.Strength
	if len(in.Contexts) > 0 {
		strength = strings.TrimSpace(strength + " " + strings.Join(in.Contexts, ","))
	}
	ends := "in " + age(now, in.Expires)
	switch {
	case !s.Ended.IsZero():
		ends = s.EndedWhy
	case !in.Ended.IsZero():
		ends = in.EndedWhy
	case !now.Before(in.Expires):
		ends = "over"
	}
	return []string{mark, s.ID, s.Kind, where, in.IP, ago(in.At, now), strength, ends, in.ID, in.UserName}
}

// ago is how long ago a moment was, in words.
func ago(t, now time.Time) string {
	if text := age(t, now); text != "now" && text != "-" {
		return text + " ago"
	}
	return age(t, now)
}

// here is the session that asks, of those below its sign-in.
func here(in api.SignIn) (api.Session, bool) {
	i := slices.IndexFunc(in.Sessions, func(s api.Session) bool { return s.Current })
	if i < 0 {
		return api.Session{}, false
	}
	return in.Sessions[i], true
}
