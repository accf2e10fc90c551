package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
)

func (a *app) sessionsEnd() *cobra.Command {
	var user string
	var all, others, yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "end SESSION… | --others | --all",
		Short: "End sessions or sign-ins, with all that is open by them",
		Long: `Ends sessions (s-…) or whole sign-ins (i-…), and closes at once what is open by them. --others ends every sign-in but
the present one, and below that the sessions of other browsers and machines; --all ends the present one too. Who is still
enabled may sign in again. Administrators end those of others: by their IDs, or all of a --user.`,
		Example: `  lanyard sessions end s-abcdefghij234567
  lanyard sessions end --others
  lanyard sessions end --all --user ada@contoso.example`,
		ValidArgsFunction: a.completeSessions,
		RunE: func(cmd *cobra.Command, ids []string) error {
			chosen := 0
			for _, is := range []bool{len(ids) > 0, all, others} {
				if is {
					chosen++
				}
			}
			switch {
			case chosen != 1:
				return usage("name sessions (`lanyard sessions` lists them), or say --others or --all")
			case user != "" && !all:
				return usage("--user goes with --all; a session's ID says whose it is")
			}
			for _, id := range ids {
				if !strings.HasPrefix(id, "s-") && !strings.HasPrefix(id, "i-") {
					return usage("%q is no session (s-…) and no sign-in (i-…)", id)
				}
			}
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			if r.Operator && (others || all && user == "") {
				return usage("the operator has no sessions: say whose with --all --user USER")
			}
			if !yes && len(ids) == 0 && terminal(a.c.Stdin) && !a.confirm("End "+map[bool]string{true: "all", false: "all other"}[all]+" sign-ins, with what is open by them?") {
				a.err.line("Nothing was ended.")
				return statusError{status: exitFailed}
			}
			switch {
			case all:
				return a.endAll(cmd, r, user, asJSON)
			case others:
				if ids, err = a.otherSessions(cmd, r); err != nil {
					return err
				}
				if len(ids) == 0 && !asJSON {
					a.out.line("There is no other.")
				}
			}
			return a.endThese(cmd, r, ids, asJSON)
		},
	}
	a.aboutFlag(cmd, &user, "with --all: whose, a user name or u-…")
	cmd.Flags().BoolVar(&all, "all", false, "all sign-ins, the present one too")
	cmd.Flags().BoolVar(&others, "others", false, "all but the present session, and your workspaces below its sign-in")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object, a line each")
	return cmd
}

// endThese ends several. One that fails is reported and does not keep the others from being ended.
func (a *app) endThese(cmd *cobra.Command, r *remote.Remote, ids []string, asJSON bool) error {
	var failed error
	for _, id := range ids {
		err := a.revokeOne(cmd, r, api.RevokeSession, id, asJSON)
		switch {
		case err == nil:
		case len(ids) == 1 || cmd.Context().Err() != nil:
			return err
		default:
			a.report(fmt.Errorf("%s: %w", id, err))
			failed = err
		}
	}
	if failed != nil {
		return statusError{status: statusOf(failed)}
	}
	return nil
}

// endAll ends all sign-ins of a user; of who asks where none is named.
func (a *app) endAll(cmd *cobra.Command, r *remote.Remote, user string, asJSON bool) error {
	if user != "" {
		return a.revokeOne(cmd, r, api.RevokeUser, user, asJSON)
	}
	me, err := r.Me(cmd.Context())
	if err != nil {
		return err
	}
	if err := a.revokeOne(cmd, r, api.RevokeUser, me.User, asJSON); err != nil {
		return err
	}
	if !asJSON {
		a.err.line("You are signed out here, too. To go on: lanyard login %s", r.URL)
	}
	return nil
}

// otherSessions are what --others ends: other sign-ins, and below the present one the sessions of other browsers and
// machines. Workspaces there stay, since they are where the person works now.
func (a *app) otherSessions(cmd *cobra.Command, r *remote.Remote) (ids []string, err error) {
	signIns, err := r.SignIns(cmd.Context(), "")
	if err != nil {
		return nil, err
	}
	found := false
	for _, in := range signIns {
		switch {
		case !in.Ended.IsZero() || !a.c.Now().Before(in.Expires):
		case !in.Current:
			ids = append(ids, in.ID)
		default:
			found = true
			for _, s := range in.Sessions {
				if !s.Current && s.Ended.IsZero() && (s.Kind == "browser" || s.Kind == "cli" || s.Kind == "client") {
					ids = append(ids, s.ID)
				}
			}
		}
	}
	if !found { // or the session that asks would be among those that end
		return nil, problem.New(problem.Conflict, "The present session is not among those that the server lists, so it is not clear which are the others.")
	}
	return ids, nil
}
