package cli

import (
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/config"
)

func (a *app) entra() *cobra.Command {
	cmd := family("entra", "Look after what connects Lanyard with Microsoft Entra ID", a.entraDoctor())
	cmd.Example = `  lanyard entra doctor`
	return cmd
}

func (a *app) entraDoctor() *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say how Lanyard stands with the tenant, and what to mend",
		Long: `Asks the running server, and through it the tenant: whether each credential of the app registration gets a token, which
permissions are granted, how old the directory is, whether change notifications are subscribed to and arrive, whether
Graph throttles, whether the clocks agree, and how soon a change at the tenant has its effect here. Each finding says
what to do next.

Exit status: 0 when all is sound, 1 when there is something to mend.`,
		Example: `  lanyard entra doctor
  lanyard entra doctor --config /etc/lanyard/lanyard.yaml
  lanyard entra doctor --json | jq -r '.findings[] | .says'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "" && a.socket == "" {
				c, err := config.Read(file)
				if err != nil {
					return err
				}
				a.socket = filepath.Join(c.Data, "lanyard.sock")
			}
			r := a.operator()
			defer r.Close()
			h, err := r.DirectoryHealth(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				if err := a.out.json(h); err != nil {
					return err
				}
			} else {
				a.showDirectoryHealth(h)
			}
			if !h.Sound {
				return statusError{status: exitFailed}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "the configuration `file` of the server to ask")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
	return cmd
}

func (a *app) showDirectoryHealth(h api.DirectoryHealth) {
	now := a.c.Now()
	rows := [][]string{}
	line := func(what, which, how string) { rows = append(rows, []string{what, clean(which), clean(how)}) }
	for _, c := range h.Credentials {
		how := "gets a token"
		if !c.Works {
			how = "gets no token"
		}
		if !c.Ends.IsZero() {
			how += ", ends " + c.Ends.UTC().Format(time.RFC3339)
		}
		which := c.Kind
		if c.File != "" {
			which += " " + c.File
		}
		line("credential", which, how)
	}
	for _, p := range h.Permissions {
		how := "granted"
		if !p.Granted {
			how = p.Problem
		}
		line("permission", p.Name, how)
	}
	d := h.Directory
	line("directory", d.State, whenOr(d.AsOf, now, "not read yet")+"; "+count(d.Users, "user")+", "+count(d.Groups, "group")+", "+count(d.Memberships, "membership"))
	if h.Leads {
		for _, s := range h.Notifications.Subscriptions {
			how := "none"
			if !s.Ends.IsZero() {
				how = "until " + s.Ends.UTC().Format(time.RFC3339)
			}
			line("subscription", s.Of, how)
		}
		line("notifications", h.Notifications.URL, "last "+whenOr(h.Notifications.Last, now, "none yet"))
		line("requests", count(int(h.Reading.Requests), "request")+" to Graph", strconv.FormatInt(h.Reading.Throttled, 10)+" throttled, "+strconv.FormatInt(h.Reading.Failed, 10)+" failed")
	}
	a.out.table([]string{"WHAT", "WHICH", "HOW"}, rows)
	a.out.line("")
	a.out.line("%s", clean(h.Latency))
	for _, f := range h.Findings {
		mark := "note"
		if f.Problem {
			mark = "MEND"
		}
		a.out.line("")
		a.out.line("%s  %s: %s", mark, f.About, clean(f.Says))
		if f.Do != "" {
			a.out.line("      %s", clean(f.Do))
		}
	}
	a.out.line("")
	if h.Sound {
		a.out.line("All is sound.")
	} else {
		a.out.line("There is something to mend.")
	}
}

func whenOr(at, now time.Time, never string) string {
	if at.IsZero() {
		return never
	}
	if s := age(at, now); s != "now" {
		return s + " ago"
	}
	return "now"
}
