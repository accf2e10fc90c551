package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
)

// projectListing is what `projects --json` prints.
type projectListing struct {
	Items    []api.Project `json:"items"`
	Findings []api.Finding `json:"findings"`
}

func (a *app) projects() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "projects",
		Short: "List projects, who gives their roles, and what is wrong with that",
		Long: `Lists the projects that you may see. For the operator, admins and auditors it says which groups and app roles hold which
role, which projects are made of groups and which of those are closed, and what is void: groups that cannot be found, that
were renamed or replaced, and groups that make no project.`,
		Example: `  lanyard projects
  lanyard projects --user ada
  lanyard projects --json | jq -r '.findings[].message'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.connect(cmd.Context(), user)
			if err != nil {
				return err
			}
			defer r.Close()
			list, err := r.Projects(cmd.Context())
			if err != nil {
				return err
			}
			said := projectListing{Items: append([]api.Project{}, list...), Findings: []api.Finding{}}
			findings, err := r.ProjectFindings(cmd.Context())
			if err == nil {
				said.Findings = append(said.Findings, findings...)
			} else if statusOf(err) != exitDenied { // who may not read the directory is not told
				return err
			}
			if asJSON {
				return a.out.json(said)
			}
			a.showProjects(said)
			return nil
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one object with the API's objects")
	return cmd
}

func (a *app) showProjects(l projectListing) {
	if len(l.Items) == 0 {
		a.out.line("No projects.")
	} else {
		rows := [][]string{}
		for _, p := range l.Items {
			holders := through(p.Via, p.Path)
			if len(p.Roles) > 0 {
				var all []string
				for _, g := range p.Roles {
					all = append(all, g.Role+": "+g.Name)
				}
				holders = strings.Join(all, ", ")
			}
			made := "a file"
			if p.FromGroups {
				made = "groups"
			}
			state := "open"
			if p.Closed != "" {
				state = "closed: " + p.Closed
			}
			rows = append(rows, []string{p.Name, made, p.Role, holders, fmt.Sprint(len(p.Repositories)), state})
		}
		a.out.table([]string{"PROJECT", "FROM", "YOUR ROLE", "ROLES THROUGH", "REPOSITORIES", "STATE"}, rows)
	}
	for _, p := range l.Items {
		for _, w := range p.Warm {
			line := fmt.Sprintf("%s: %d of %d workspaces of class %s are ready, made ahead", p.Name, w.Ready, w.Wanted, w.Class)
			if w.Image != "" {
				line += " on " + w.Image
			}
			if w.Making > 0 {
				line += fmt.Sprintf(", %d being made", w.Making)
			}
			if w.Message != "" {
				line += ", since " + w.Since.Local().Format(time.DateTime) + " not more: " + w.Message
			}
			a.out.line("%s", line)
		}
	}
	for i, f := range l.Findings {
		if i == 0 {
			a.out.line("")
		}
		place := f.File
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
		}
		a.out.line("%s: %s", place, f.Message)
	}
}
