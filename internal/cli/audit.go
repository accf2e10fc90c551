package cli

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
)

func (a *app) audit() *cobra.Command {
	cmd := family("audit", "Read the audit log, and check that nothing was removed or changed",
		a.auditTail(), a.auditSearch(), a.auditExport(), a.auditVerify())
	cmd.Example = `  lanyard audit tail --follow
  lanyard audit search --user ada --action repo:write
  lanyard audit verify --checkpoint /mnt/elsewhere/checkpoints`
	return cmd
}

// auditFilter is what tail and search restrict.
type auditFilter struct {
	user, action, workspace string
	limit                   int
}

func (a *app) filterFlags(cmd *cobra.Command, f *auditFilter, limit int) {
	a.aboutFlag(cmd, &f.user, "only about this `user`: a user name or u-…")
	cmd.Flags().StringVar(&f.action, "action", "", "only this `action`, such as repo:write or signin")
	cmd.Flags().StringVar(&f.workspace, "workspace", "", "only about this `workspace`")
	cmd.Flags().IntVarP(&f.limit, "lines", "n", limit, "at most so many entries")
	_ = cmd.RegisterFlagCompletionFunc("workspace", a.completeWorkspaces(true))
}

func (f auditFilter) query() api.AuditQuery {
	return api.AuditQuery{User: f.user, Action: f.action, Workspace: f.workspace, Limit: f.limit}
}

func (f auditFilter) check() error {
	if f.limit < 1 || f.limit > 500 {
		return usage("--lines is between 1 and 500")
	}
	return nil
}

func (a *app) auditTail() *cobra.Command {
	var f auditFilter
	var follow, asJSON bool
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Show the newest entries, oldest first, and with --follow those that come",
		Example: `  lanyard audit tail
  lanyard audit tail --follow --user ada
  lanyard audit tail --follow --json | jq 'select(.outcome=="denied")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			r := a.operator()
			defer r.Close()
			page, err := r.Audit(cmd.Context(), f.query())
			if err != nil {
				return err
			}
			slices.Reverse(page.Items)
			last := int64(-1)
			for _, e := range page.Items {
				if err := a.showEvent(e, asJSON); err != nil {
					return err
				}
				last = max(last, e.Seq)
			}
			if !follow {
				return nil
			}
			return a.followAudit(cmd.Context(), r, f, last, asJSON)
		},
	}
	a.filterFlags(cmd, &f, 20)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with those that come, until Ctrl-C")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's objects, one a line")
	return cmd
}

// lookForEvents is how often a followed log is looked at.
const lookForEvents = 300 * time.Millisecond

// followAudit shows what comes after a position until ctx ends, which is no failure.
func (a *app) followAudit(ctx context.Context, r *remote.Remote, f auditFilter, after int64, asJSON bool) error {
	q := f.query()
	q.Limit, q.After = 500, &after
	tick := time.NewTicker(lookForEvents)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		page, err := r.Audit(ctx, q)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		for _, e := range page.Items {
			if err := a.showEvent(e, asJSON); err != nil {
				return err
			}
			after = max(after, e.Seq)
		}
	}
}

func (a *app) auditSearch() *cobra.Command {
	var f auditFilter
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "search",
		Short: "Show entries about a user, an action or a workspace, newest first",
		Example: `  lanyard audit search --user ada
  lanyard audit search --action repo:write --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			r := a.operator()
			defer r.Close()
			page, err := r.Audit(cmd.Context(), f.query())
			if err != nil {
				return err
			}
			for _, e := range page.Items {
				if err := a.showEvent(e, asJSON); err != nil {
					return err
				}
			}
			return nil
		},
	}
	a.filterFlags(cmd, &f, 100)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's objects, one a line")
	return cmd
}

func (a *app) auditExport() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write every entry, the exact bytes of each on a line",
		Example: `  lanyard audit export > audit.ndjson
  lanyard audit export --output audit.ndjson`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := a.operator()
			defer r.Close()
			if file == "" {
				return r.ExportAudit(cmd.Context(), a.c.Stdout)
			}
			f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
			if err != nil {
				return err
			}
			return errors.Join(r.ExportAudit(cmd.Context(), f), f.Close())
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "write to this `file`, which only you may read")
	return cmd
}

// showEvent writes an entry as a line.
func (a *app) showEvent(e api.Event, asJSON bool) error {
	if asJSON {
		return a.out.json(e)
	}
	who := e.UserName
	if who == "" {
		who = e.Actor
	}
	if who == "" {
		who = "-"
	}
	what := e.Resource
	if len(e.Reasons) > 0 {
		what = strings.TrimSpace(what + "  " + strings.Join(e.Reasons, "; "))
	}
	a.out.line("%6d  %s  %-7s  %-18s  %-18s  %s", e.Seq, e.Time.Local().Format("01-02 15:04:05.000"), e.Outcome, e.Action, who, what)
	return nil
}
