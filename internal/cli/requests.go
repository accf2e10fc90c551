package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
)

func (a *app) request() *cobra.Command {
	var user, why, wanted string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "request ACTION RESOURCE --why TEXT",
		Short: "Ask a person for access that needs approval",
		Long: `Asks for access that a policy gives only with somebody's approval. Who may approve, the policy says; nobody does so
for themselves. What you may do already needs no request, and what you may not do at all cannot be asked for. Once it
is approved, the access holds for the time given and ends by itself.
RESOURCE is a repository's URL, PROJECT/NAME, or a workspace's ID.`,
		Example: `  lanyard request repo:write https://git.example.test/payments/api --why "hotfix for ticket 4711" --for 2h --user ada`,
		Args:    cobra.ExactArgs(2), ValidArgsFunction: completeActions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if why == "" {
				return noReason(cmd)
			}
			r, err := a.connect(cmd.Context(), user)
			if err != nil {
				return err
			}
			defer r.Close()
			q, err := r.Ask(cmd.Context(), api.Ask{Action: args[0], Resource: args[1], Why: why, For: wanted})
			if err != nil {
				return err
			}
			if asJSON {
				return a.out.json(q)
			}
			a.out.line("%s waits for a member of %s, until %s.", q.ID, q.Approvers, q.Expires.Local().Format(time.DateTime))
			a.out.line("They run: lanyard approve %s", q.ID)
			return nil
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().StringVar(&why, "why", "", "the `reason`, for who decides and for the audit log")
	cmd.Flags().StringVar(&wanted, "for", "", "how `long`, such as 30m or 2h (default 1h, at most 24h)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
	return cmd
}

func (a *app) requests() *cobra.Command {
	var user string
	var mine, toApprove, asJSON bool
	cmd := &cobra.Command{
		Use:   "requests",
		Short: "List requests for access, and what became of them",
		Long: `Lists the requests of the last days that you may see, newest first: your own, those that you may approve, and all of
them for auditors, administrators and the operator.`,
		Example: `  lanyard requests --to-approve --user barbara
  lanyard requests --mine --user ada --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.connect(cmd.Context(), user)
			if err != nil {
				return err
			}
			defer r.Close()
			which := ""
			if mine {
				which = "mine"
			}
			if toApprove {
				which = "to-approve"
			}
			list, err := r.Requests(cmd.Context(), which)
			if err != nil {
				return err
			}
			if asJSON {
				return a.out.json(api.Page[api.Request]{Items: append([]api.Request{}, list...)})
			}
			if len(list) == 0 {
				a.out.line("No requests.")
				return nil
			}
			rows := [][]string{}
			for _, q := range list {
				rows = append(rows, []string{q.ID, q.State, q.UserName, q.Action, q.Resource, q.For, age(q.Asked, a.c.Now()), q.Approvers, a.became(q)})
			}
			a.out.table([]string{"REQUEST", "STATE", "WHO", "ACTION", "RESOURCE", "FOR", "AGE", "APPROVERS", "WHY"}, rows)
			return nil
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&mine, "mine", false, "only your own")
	cmd.Flags().BoolVar(&toApprove, "to-approve", false, "only those that wait for your decision")
	cmd.MarkFlagsMutuallyExclusive("mine", "to-approve")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's objects")
	return cmd
}

// noReason refuses what others decide or judge by, without words to decide by.
func noReason(cmd *cobra.Command) error {
	return usage("`%s` needs --why \"the reason\"", cmd.CommandPath())
}

// became is why somebody asks, and who said what to it.
func (a *app) became(q api.Request) string {
	if q.ByName == "" || q.State == "withdrawn" {
		return q.Why
	}
	text := q.Why + " (" + q.State + " by " + q.ByName
	if !q.Until.IsZero() {
		text += " until " + q.Until.Local().Format(time.DateTime)
	}
	if q.Words != "" {
		text += ": " + q.Words
	}
	return text + ")"
}

func (a *app) approve() *cobra.Command {
	return a.decision("approve REQUEST", "Approve what somebody asks for",
		`Turns a request into a grant that ends by itself. You have to be a member of the group that the policy names, and you
cannot approve for yourself. --for gives less time than was asked for.`,
		`  lanyard approve g-abcdefghij234567 --for 1h --user barbara`, true)
}

func (a *app) refuse() *cobra.Command {
	return a.decision("refuse REQUEST --why TEXT", "Refuse what somebody asks for",
		"Ends a request without a grant. Who asked is told why.",
		`  lanyard refuse g-abcdefghij234567 --why "not during the freeze" --user barbara`, false)
}

func (a *app) decision(use, short, long, example string, approve bool) *cobra.Command {
	var user, why, shorter string
	var asJSON bool
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Example: example, Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeRequests,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !strings.HasPrefix(args[0], "g-") {
				return usage("%q is no request: its ID begins with g-", args[0])
			}
			if !approve && why == "" {
				return noReason(cmd)
			}
			r, err := a.connect(cmd.Context(), user)
			if err != nil {
				return err
			}
			defer r.Close()
			decide := r.Refuse
			if approve {
				decide = r.Approve
			}
			q, err := decide(cmd.Context(), args[0], api.Answer{Why: why, For: shorter})
			if err != nil {
				return err
			}
			return a.showDecided(q, asJSON)
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().StringVar(&why, "why", "", "a `word` to who asked")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
	if approve {
		cmd.Flags().StringVar(&shorter, "for", "", "less `time` than was asked for")
	}
	return cmd
}

func (a *app) withdraw() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "withdraw REQUEST", Short: "Take your own request back", Example: "  lanyard withdraw g-abcdefghij234567 --user ada",
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeRequests,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.connect(cmd.Context(), user)
			if err != nil {
				return err
			}
			defer r.Close()
			q, err := r.Withdraw(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.showDecided(q, asJSON)
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
	return cmd
}

func (a *app) showDecided(q api.Request, asJSON bool) error {
	switch {
	case asJSON:
		return a.out.json(q)
	case q.Until.IsZero():
		a.out.line("%s of %s is %s.", q.ID, q.UserName, q.State)
	default:
		a.out.line("%s may %s on %s until %s. `lanyard revoke grant %s` ends it before.", q.UserName, q.Action, q.Resource,
			q.Until.Local().Format(time.DateTime), q.ID)
	}
	return nil
}
