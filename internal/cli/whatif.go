package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/source"
)

func (a *app) whatIf() *cobra.Command {
	var add, remove, disable, asJSON bool
	var config string
	cmd := &cobra.Command{
		Use:   "whatif --add USER GROUP | --remove USER GROUP | --disable USER | --config DIR",
		Short: "Tell what a change would do, without making it: roles gained and lost, what would close",
		Long: `Compares the facts of now with those after a change: who would gain or lose which role in which project, and which
open accesses would be closed, with the reason that their users would be told. Nothing is changed.

GROUP is an object ID, or a name that no other group has. DIR holds project files (*.yaml) and policies (*.cedar),
in itself or in its folders projects and policies; where it has none of a kind, those in force stay. Files that could
not be put in force are reported with file, line and column, and the exit status is 1.`,
		Example: `  lanyard whatif --remove ada payments-engineers
  lanyard whatif --disable ada
  lanyard whatif --config /etc/lanyard.new --json`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, part string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return a.completeUsers(cmd, args, part)
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := supposition(args, add, remove, disable, config)
			if err != nil {
				return err
			}
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			o, err := r.WhatIf(cmd.Context(), q)
			if err != nil {
				return err
			}
			if asJSON {
				err = a.out.json(o)
			} else {
				a.showOutcome(o)
			}
			if err == nil && !o.Valid {
				return problem.New(problem.Conflict, "These files could not be put in force, so nothing was compared.")
			}
			return err
		},
	}
	f := cmd.Flags()
	f.BoolVar(&add, "add", false, "suppose that USER joins GROUP")
	f.BoolVar(&remove, "remove", false, "suppose that USER leaves GROUP")
	f.BoolVar(&disable, "disable", false, "suppose that USER's account is disabled")
	f.StringVar(&config, "config", "", "suppose that the projects and policies of this `folder` are in force")
	f.BoolVar(&asJSON, "json", false, "print the API's object")
	_ = cmd.MarkFlagDirname("config") // fails for an unknown flag only
	return cmd
}

// supposition reads the command line.
func supposition(args []string, add, remove, disable bool, config string) (api.WhatIf, error) {
	chosen := 0
	for _, is := range []bool{add, remove, disable, config != ""} {
		if is {
			chosen++
		}
	}
	switch {
	case chosen != 1:
		return api.WhatIf{}, usage("choose one of --add, --remove, --disable and --config")
	case add && len(args) == 2:
		return api.WhatIf{Change: api.WhatIfAdd, User: args[0], Group: args[1]}, nil
	case remove && len(args) == 2:
		return api.WhatIf{Change: api.WhatIfRemove, User: args[0], Group: args[1]}, nil
	case disable && len(args) == 1:
		return api.WhatIf{Change: api.WhatIfDisable, User: args[0]}, nil
	case add || remove:
		return api.WhatIf{}, usage("name a user and a group: lanyard whatif --add USER GROUP")
	case disable:
		return api.WhatIf{}, usage("name one user: lanyard whatif --disable USER")
	case len(args) > 0:
		return api.WhatIf{}, usage("%q is one thing too many: --config takes a folder alone", args[0])
	}
	q := api.WhatIf{Change: api.WhatIfConfig}
	var err error
	if q.Projects, err = filesIn(config, "projects", ".yaml", ".yml"); err != nil {
		return q, err
	}
	if q.Policies, err = filesIn(config, "policies", ".cedar"); err != nil {
		return q, err
	}
	if q.Projects == nil && q.Policies == nil {
		return q, usage("%s has neither project files (*.yaml) nor policies (*.cedar), in itself or in folders called projects and policies", config)
	}
	return q, nil
}

// filesIn reads the files of a kind in a folder and in one of its folders, by name; nil when there are none and that
// folder is not there either. The server's own configuration is not among them.
func filesIn(dir, below string, suffixes ...string) (map[string]string, error) {
	var files map[string]string
	for _, folder := range []string{dir, filepath.Join(dir, below)} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			if folder != dir && os.IsNotExist(err) {
				continue
			}
			return nil, problem.Wrap(err, problem.Invalid, "%s cannot be read: %s.", folder, reasonOf(err))
		}
		if files == nil && folder != dir {
			files = map[string]string{}
		}
		for _, e := range entries {
			if e.IsDir() || strings.HasPrefix(e.Name(), ".") || e.Name() == "lanyard.yaml" || !slices.Contains(suffixes, filepath.Ext(e.Name())) {
				continue
			}
			name := filepath.Join(folder, e.Name())
			text, err := textOf(name)
			if err != nil {
				return nil, problem.Wrap(err, problem.Invalid, "%s cannot be read: %s.", name, reasonOf(err))
			}
			if files == nil {
				files = map[string]string{}
			}
			files[name] = text
		}
	}
	return files, nil
}

// reasonOf is why a file cannot be read, without its name.
func reasonOf(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// textOf reads a file, up to a little more than is accepted, so that it can be said that it is too long.
func textOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, source.MaxSize+1))
	return string(b), err
}

func (a *app) showOutcome(o api.Outcome) {
	for _, f := range o.Findings {
		a.out.line("%s", source.Finding{File: f.File, Line: f.Line, Column: f.Column, Message: f.Message}.String())
	}
	if !o.Valid {
		return
	}
	rights := func(header string, list []api.Right, more int) {
		if len(list) == 0 {
			return
		}
		var rows [][]string
		for _, r := range list {
			project := r.Project
			if project == "" {
				project = "(the installation)"
			}
			rows = append(rows, []string{r.UserName, r.Role, project})
		}
		a.out.table([]string{header, "ROLE", "PROJECT"}, rows)
		a.left(more)
	}
	rights("GAINS", o.Gained, o.MoreGained)
	rights("LOSES", o.Lost, o.MoreLost)
	if len(o.Closes) > 0 {
		var rows [][]string
		for _, l := range o.Closes {
			rows = append(rows, []string{l.ID, who(l), l.Action, l.Resource, l.Reason})
		}
		a.out.table([]string{"WOULD CLOSE", "WHO", "ACTION", "RESOURCE", "REASON"}, rows)
		a.left(o.MoreCloses)
	}
	if len(o.Gained)+len(o.Lost) == 0 {
		a.out.line("Nobody gains or loses a role.")
	}
	if len(o.Closes) == 0 {
		a.out.line("Nothing that is open would close.")
	}
}

func (a *app) left(more int) {
	if more > 0 {
		a.out.line("… and %d more", more)
	}
}
