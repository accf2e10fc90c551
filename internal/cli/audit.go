package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
)

func (a *app) audit() *cobra.Command {
	cmd := family("audit", "Read the audit log, and check that nothing was removed or changed",
		a.auditTail(), a.auditSearch(), a.auditExport(), a.auditVerify(), a.auditProve(), a.auditConsistency(), a.auditKey(), a.auditForget(), a.auditReview())
	cmd.Example = `  lanyard audit tail --follow
  lanyard audit search --user ada --action repo:write --since 24h
  lanyard audit verify --checkpoint /mnt/elsewhere/checkpoints
  lanyard audit review --since 30d
  lanyard audit prove 4711`
	return cmd
}

// auditFilter is what tail and search restrict.
type auditFilter struct {
	user, action, outcome, resource, project, session, workspace string
	limit                                                        int
}

func (a *app) filterFlags(cmd *cobra.Command, f *auditFilter, limit int) {
	a.aboutFlag(cmd, &f.user, "only about this `user`: a user name or u-…")
	cmd.Flags().StringVar(&f.action, "action", "", "only this `action`, such as repo:write or signin")
	cmd.Flags().StringVar(&f.outcome, "outcome", "", "only with this `outcome`: done, denied, failed, opened, closed, cut")
	cmd.Flags().StringVar(&f.resource, "resource", "", "only about this `resource`: a repository's URL, PROJECT/NAME, a name or an ID")
	cmd.Flags().StringVar(&f.project, "project", "", "only in this `project`")
	cmd.Flags().StringVar(&f.session, "session", "", "only through this `session`, s-…")
	cmd.Flags().StringVar(&f.workspace, "workspace", "", "only about this `workspace`")
	cmd.Flags().IntVarP(&f.limit, "lines", "n", limit, "at most so many entries")
	_ = cmd.RegisterFlagCompletionFunc("workspace", a.completeWorkspaces(true))
	_ = cmd.RegisterFlagCompletionFunc("outcome", cobra.FixedCompletions([]string{"done", "denied", "failed", "opened", "closed", "cut", "refused", "alarm"}, cobra.ShellCompDirectiveNoFileComp))
}

func (f auditFilter) query() api.AuditQuery {
	return api.AuditQuery{User: f.user, Action: f.action, Outcome: f.outcome, Resource: f.resource, Project: f.project,
		Session: f.session, Workspace: f.workspace, Limit: f.limit}
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
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			page, err := r.Audit(cmd.Context(), f.query())
			if err != nil {
				return err
			}
			slices.Reverse(page.Items)
			last := page.Size - page.Lag - 1 // what comes up to there was found, if it fits
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
		}
		if page.Next != "" {
			if after, err = strconv.ParseInt(page.Next, 10, 64); err != nil {
				return fmt.Errorf("the server's answer has no position: %w", err)
			}
		}
	}
}

func (a *app) auditSearch() *cobra.Command {
	var f auditFilter
	var asJSON, oldest bool
	var since, until, cursor string
	cmd := &cobra.Command{
		Use:   "search",
		Short: "Find entries by user, resource, action, outcome and time, newest first",
		Long: `Finds entries. Times are RFC 3339, a date, or how long ago: 30m, 24h, 7d. More than --lines are read on with the
--cursor that is printed at the end, in both directions. Entries of the last fraction of a second may not be found yet;
how many those are is said.`,
		Example: `  lanyard audit search --user ada
  lanyard audit search --resource payments/ledger --outcome denied --since 7d
  lanyard audit search --action repo:write --since 2026-11-01 --until 2026-11-08 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			q := f.query()
			q.Oldest, q.Cursor = oldest, cursor
			var err error
			if q.Since, err = a.moment("--since", since); err != nil {
				return err
			}
			if q.Until, err = a.moment("--until", until); err != nil {
				return err
			}
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			page, err := r.Audit(cmd.Context(), q)
			if err != nil {
				return err
			}
			for _, e := range page.Items {
				if err := a.showEvent(e, asJSON); err != nil {
					return err
				}
			}
			if page.Lag > 0 {
				a.err.line("Written lately and not in the index yet: %d.", page.Lag)
			}
			if page.Previous != "" {
				a.err.line("Before these: --cursor %s", page.Previous)
			}
			if page.Next != "" {
				a.err.line("After these: --cursor %s", page.Next)
			}
			return nil
		},
	}
	a.filterFlags(cmd, &f, 100)
	cmd.Flags().StringVar(&since, "since", "", "not before this `time`")
	cmd.Flags().StringVar(&until, "until", "", "before this `time`")
	cmd.Flags().StringVar(&cursor, "cursor", "", "go on where a page said so")
	cmd.Flags().BoolVar(&oldest, "oldest", false, "the oldest first")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's objects, one a line")
	return cmd
}

// moment reads a time: RFC 3339, a date of this place, or how long ago.
func (a *app) moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return t, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n < 36500 {
			return a.c.Now().AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return a.c.Now().Add(-d), nil
	}
	return time.Time{}, usage("%s is a time such as 2026-11-23T08:00:00Z, a date such as 2026-11-23, or how long ago: 30m, 24h, 7d", flag)
}

func (a *app) auditExport() *cobra.Command {
	var file, format string
	var from int64
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write every entry, one a line, so that it can be verified anywhere",
		Long: `Writes the entries that a checkpoint covers as lines of JSON. Each gives back the exact bytes that the log's tree is
made of, so that "lanyard audit verify --export" checks them without a server. Personal values stand in the lines with
their salts; the entries of people who were forgotten have commitments instead.

To check an export against copied checkpoints, copy those first and export then.`,
		Example: `  lanyard audit export > audit.jsonl
  lanyard audit export --from 100000 --output audit.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "jsonl" {
				return usage("--format is jsonl; OpenTelemetry and syslog receivers are configured under audit.export")
			}
			if from < 0 {
				return usage("--from is the seq of an entry")
			}
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			if file == "" && terminal(a.c.Stdout) {
				return a.exportToTerminal(func(to io.Writer) error { return r.ExportAuditFrom(cmd.Context(), from, to) })
			}
			if file == "" {
				return r.ExportAuditFrom(cmd.Context(), from, a.c.Stdout)
			}
			f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
			if err != nil {
				return err
			}
			return errors.Join(r.ExportAuditFrom(cmd.Context(), from, f), f.Close())
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "write to this `file`, which only you may read")
	cmd.Flags().StringVar(&format, "format", "jsonl", "the `format`: jsonl")
	cmd.Flags().Int64Var(&from, "from", 0, "begin at this `seq`; the lines then begin with what the tree was up to there")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"jsonl"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// exportToTerminal shows an export's lines to a person: what could command the terminal is escaped, so these lines are
// not for verifying.
func (a *app) exportToTerminal(export func(io.Writer) error) error {
	from, to := io.Pipe()
	go func() { to.CloseWithError(export(to)) }()
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			a.out.line("%s", strings.TrimSuffix(line, "\n"))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// showEvent writes an entry as a line.
func (a *app) showEvent(e api.Event, asJSON bool) error {
	if asJSON {
		return a.out.json(e)
	}
	who := e.UserName
	switch {
	case who == "":
		who = e.Actor
	case strings.HasPrefix(e.Actor, "agent:"): // an AI agent acted for the person
		who += " (" + e.Actor + ")"
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
