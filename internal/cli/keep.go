package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
)

func (a *app) pin() *cobra.Command {
	var user string
	var release, asJSON bool
	cmd := &cobra.Command{
		Use:   "pin WORKSPACE…",
		Short: "Keep workspaces however old they are",
		Long:  "Keeps workspaces from being archived and deleted for their age. With --off, what the configuration says holds again.",
		Example: `  lanyard pin w-abcdefghij234567
  lanyard pin --off w-abcdefghij234567`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeWorkspaces(true),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.each(cmd, user, args, func(r *remote.Remote, id string) error {
				pinned := !release
				w, err := r.ChangeWorkspace(cmd.Context(), id, api.WorkspaceChange{Pinned: &pinned})
				if err != nil {
					return err
				}
				switch {
				case asJSON:
					return a.out.json(w)
				case pinned:
					a.out.line("%s is kept", id)
				default:
					a.out.line("%s is no longer pinned", id)
				}
				return nil
			})
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&release, "off", false, "let them age again")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print each workspace, a line each")
	return cmd
}

func (a *app) timeout() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "timeout WORKSPACE [DURATION | default | extend]",
		Short: "Show or set how long a workspace runs without use",
		Long: `Shows when a workspace stops by itself, or says how long it may run without use: a duration such as 3h, or default for what
its project says. extend lets the present timeout begin anew.

What counts as use: a command that runs by exec, bytes in an open terminal or a forwarded port, Git's requests from inside,
and an AI agent that works beside it. In the workspace, ` + "`lanyard timeout`" + ` does the same.`,
		Example: `  lanyard timeout w-abcdefghij234567
  lanyard timeout w-abcdefghij234567 3h
  lanyard timeout w-abcdefghij234567 extend`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: first(a.completeWorkspaces(true)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 && args[1] != "extend" && args[1] != "default" {
				if d, err := time.ParseDuration(args[1]); err != nil || d <= 0 {
					return usage("%q is not a time; write it as 45m, 2h or 1h30m, or say default or extend", args[1])
				}
			}
			r, err := a.connect(cmd.Context(), user)
			if err != nil {
				return err
			}
			defer r.Close()
			var w api.Workspace
			switch {
			case len(args) == 1:
				w, err = r.Workspace(cmd.Context(), args[0])
			case args[1] == "extend":
				w, err = r.ChangeWorkspace(cmd.Context(), args[0], api.WorkspaceChange{Extend: true})
			default:
				limit := strings.TrimPrefix(args[1], "default")
				w, err = r.ChangeWorkspace(cmd.Context(), args[0], api.WorkspaceChange{Timeout: &limit})
			}
			if err != nil {
				return err
			}
			if asJSON {
				return a.out.json(w)
			}
			a.sayTimeout(w)
			return nil
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the workspace")
	return cmd
}

func (a *app) sayTimeout(w api.Workspace) {
	if w.Timeout == 0 {
		a.out.line("%s does not stop by itself for want of use", w.ID)
	} else {
		a.out.line("%s stops after %s without use", w.ID, problem.Length(time.Duration(w.Timeout)*time.Second))
	}
	if !w.Stops.IsZero() {
		a.out.line("unless it is used: at %s", w.Stops.Local().Format(time.DateTime))
	}
	if !w.Last.IsZero() {
		a.out.line("in any case: at %s", w.Last.Local().Format(time.DateTime))
	}
}

func (a *app) export() *cobra.Command {
	var user, to string
	cmd := &cobra.Command{
		Use:   "export WORKSPACE",
		Short: "Take the checkouts that somebody left behind",
		Long: `Writes the checkouts of a stopped workspace as a tar archive: for administrators, of people whose account is disabled or
gone. As long as it is enabled, the files are their owner's alone. The export is in the audit log before its first byte.`,
		Example:           `  lanyard export w-abcdefghij234567 --output left.tar`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(a.completeWorkspaces(true)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to == "" && terminal(a.c.Stdout) {
				return usage("an archive is not for a terminal; name a file with --output, or pass it on with a pipe")
			}
			r, err := a.connect(cmd.Context(), user)
			if err != nil {
				return err
			}
			defer r.Close()
			if to == "" {
				err = r.ExportWorkspace(cmd.Context(), args[0], a.c.Stdout)
			} else {
				err = exportTo(to, func(w io.Writer) error { return r.ExportWorkspace(cmd.Context(), args[0], w) })
			}
			if remote.KindOf(err) == problem.Denied {
				a.err.line("Only administrators export, and only what people left whose account is disabled. Of your own, a command in the workspace takes files out:")
				a.err.line("  lanyard exec %s -- tar c -C /workspace . > mine.tar", args[0])
			}
			return err
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().StringVarP(&to, "output", "o", "", "write to this new `file`")
	return cmd
}

// exportTo writes a new file that only its owner reads; what is not whole is removed.
func exportTo(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return problem.New(problem.Conflict, "%s is there already. Name another file.", path)
	}
	if err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	if err = errors.Join(write(f), f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}
