package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
)

func (a *app) auditReview() *cobra.Command {
	var since, until string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "review",
		Short: "Say who signed in, whether the tenant's log agrees, and which rights nobody used",
		Long: `Reviews the last seven days, or another time of 90 days at most: who signed in, from where, with what device and how
strongly; sign-ins that the tenant's own log and Lanyard do not agree about; what the tenant refused; the groups that
give roles in projects and the grants that held, those that nobody used first.

A group whose members all hold the same role through another group shows as unused too: taking it away takes nothing
from them. Roles of the whole installation are not counted.

Exit status: 0 when nothing has to be looked at, 1 when a sign-in is in one place only.`,
		Example: `  lanyard audit review
  lanyard audit review --since 30d
  lanyard audit review --since 2026-11-16 --until 2026-11-23 --json | jq '.findings'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, err := a.moment("--since", since)
			if err != nil {
				return err
			}
			to, err := a.moment("--until", until)
			if err != nil {
				return err
			}
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			review, err := r.Review(cmd.Context(), from, to)
			if err != nil {
				return err
			}
			if asJSON {
				if err := a.out.json(review); err != nil {
					return err
				}
			} else {
				a.showReview(review)
			}
			if len(review.Findings) > 0 {
				return statusError{status: exitFailed}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "from this `time` on: a date, RFC 3339, or how long ago (default 7d)")
	cmd.Flags().StringVar(&until, "until", "", "before this `time` (default now)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
	return cmd
}

func (a *app) showReview(r api.Review) {
	a.out.line("From %s to %s.", r.Since.Local().Format(time.DateTime), r.Until.Local().Format(time.DateTime))
	a.showReviewLog(r)
	for _, f := range r.Findings {
		a.out.line("")
		a.out.line("LOOK  %s  %s  %s  %s", f.At.Local().Format(time.DateTime), f.UserName, f.Kind, strings.TrimSpace(f.IP+" "+f.Place))
		a.out.line("      %s", f.Says)
		a.out.line("      %s", f.Do)
		if f.Correlation != "" {
			a.out.line("      correlation ID %s", f.Correlation)
		}
	}
	a.out.line("")
	if len(r.People) == 0 {
		a.out.line("Nobody signed in.")
	} else {
		a.showReviewPeople(r)
	}
	if len(r.Refused) > 0 {
		a.out.line("")
		rows := [][]string{}
		for _, x := range r.Refused {
			rows = append(rows, []string{"AADSTS" + strconv.Itoa(x.Code), strconv.Itoa(x.Times), strconv.Itoa(x.People), x.Failure})
		}
		a.out.table([]string{"REFUSED", "TIMES", "PEOPLE", "WHY, AS THE TENANT SAYS"}, rows)
	}
	a.showReviewRights(r)
}

func (a *app) showReviewLog(r api.Review) {
	switch l := r.Log; {
	case l.Problem != "":
		a.out.line("Not compared with the tenant's log of sign-ins: %s.", l.Problem)
	case l.From.IsZero():
		a.out.line("Not compared with the tenant's log of sign-ins: it was not read yet, or there is none.")
	default:
		a.out.line("The tenant's log has %s, of which %d belong to sign-ins here; last read %s.", count(l.Entries, "sign-in"), l.Joined, whenOr(l.Read, a.c.Now(), "never"))
		if !l.Compared {
			a.out.line("It is known since %s only.", l.From.Local().Format(time.DateTime))
		}
	}
	if len(r.Findings) == 0 && r.Log.Compared {
		a.out.line("Both agree.")
	}
}

func (a *app) showReviewPeople(r api.Review) {
	rows := [][]string{}
	for _, p := range r.People {
		where := []string{}
		for _, x := range p.Places {
			where = append(where, strings.TrimSpace(x.IP+" "+x.Place))
		}
		note := []string{}
		if p.Findings > 0 {
			note = append(note, "LOOK")
		}
		if p.New > 0 {
			note = append(note, fmt.Sprintf("%d new", p.New))
		}
		if p.Guest {
			note = append(note, "guest")
		}
		strength := append(append([]string{}, p.Strengths...), p.Contexts...)
		rows = append(rows, []string{p.UserName, strconv.Itoa(p.SignIns), strconv.Itoa(p.StepUps), p.Last.Local().Format("01-02 15:04"), few(strength), few(where), few(p.Devices), few(note)})
	}
	a.out.table([]string{"WHO", "SIGN-INS", "STEP-UPS", "LAST", "STRENGTH", "FROM", "WITH", "NOTE"}, rows)
	if r.More > 0 {
		a.out.line("and %d more: choose a shorter time", r.More)
	}
}

// few joins the first ones of a list.
func few(list []string) string {
	if len(list) > 3 {
		return strings.Join(list[:3], "; ") + fmt.Sprintf("; and %d more", len(list)-3)
	}
	return strings.Join(list, "; ")
}

func (a *app) showReviewRights(r api.Review) {
	a.out.line("")
	switch {
	case r.CountedFrom.IsZero():
		a.out.line("Uses of rights are not counted yet.")
		return
	case r.CountedFrom.After(r.Since):
		a.out.line("Uses of rights are counted since %s only.", r.CountedFrom.Local().Format(time.DateTime))
	}
	rows := [][]string{}
	for _, g := range r.Groups {
		if !g.Used {
			rows = append(rows, []string{g.Project, g.Role, g.Name, g.Group})
		}
	}
	if len(rows) == 0 {
		a.out.line("Every group that gives a role in a project was used.")
	} else {
		a.out.table([]string{"UNUSED IN", "ROLE", "GROUP", "ID"}, rows)
	}
	rows = nil
	for _, g := range r.Grants {
		if !g.Used {
			rows = append(rows, []string{g.ID, g.Kind, g.UserName, gives(g.Grant), g.ByName, g.Until.Local().Format(time.DateTime)})
		}
	}
	if len(rows) > 0 {
		a.out.line("")
		a.out.table([]string{"UNUSED GRANT", "KIND", "WHO", "GIVES", "BY", "UNTIL"}, rows)
	}
}
