package cli

import (
	"bufio"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// scope is whose variables a command is about, and for which workspaces.
type scope struct{ user, project, repository string }

func (a *app) scopeFlags(cmd *cobra.Command, s *scope) {
	a.signInFlag(cmd, &s.user)
	cmd.Flags().StringVar(&s.project, "project", "", "those of a `project`, which its workspaces get, whosever they are; default: your own")
	cmd.Flags().StringVar(&s.repository, "repository", "", "for workspaces on this `repository` alone")
}

func (a *app) env() *cobra.Command {
	cmd := family("env", "List, set and remove environment variables of workspaces", a.envList(), a.envSet(), a.envUnset())
	cmd.Long = `Environment variables that workspaces get when they start: your own in all of yours, or in those on one repository; and a
project's, which its maintainers set for everybody's workspaces there.

Of the same name the later wins: what the repository's own file says, the project's, the project's for the repository, yours,
yours for the repository, what was given with the context URL. Names that begin with GITPOD_ and LANYARD_ are Lanyard's own.

A secret one is encrypted at rest and never shown again. It is given to a workspace only where the project's file says
` + "`workspace: {secret_variables: true}`" + ` and no policy forbids it (env:secret), since every process there can read it.`
	return cmd
}

func (a *app) envList() *cobra.Command {
	var s scope
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List your own variables, or a project's",
		Example: `  lanyard env list
  lanyard env list --project payments`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.as(cmd, s.user, func(r *remote.Remote) error {
				all, err := r.Variables(cmd.Context(), s.project)
				if err != nil {
					return err
				}
				if s.repository != "" {
					all = slices.DeleteFunc(all, func(v api.Variable) bool {
						return v.Repository != "" && v.Repository != strings.TrimSuffix(s.repository, ".git")
					})
				}
				if asJSON {
					return a.out.json(api.Page[api.Variable]{Items: append([]api.Variable{}, all...)})
				}
				if len(all) == 0 {
					a.out.line("No variables. `lanyard env set NAME=VALUE` sets one.")
					return nil
				}
				var rows [][]string
				for _, v := range all {
					value, where := v.Value, v.Repository
					if v.Secret {
						value = "(secret)"
					}
					if where == "" {
						where = "all"
					}
					rows = append(rows, []string{v.Name, strings.Join(strings.Fields(value), " "), where, v.By, age(v.Changed, a.c.Now())})
				}
				a.out.table([]string{"NAME", "VALUE", "WORKSPACES ON", "SET BY", "AGE"}, rows)
				return nil
			})
		},
	}
	a.scopeFlags(cmd, &s)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's objects")
	return cmd
}

func (a *app) envSet() *cobra.Command {
	var s scope
	var secret, asJSON bool
	cmd := &cobra.Command{
		Use:   "set NAME=VALUE… | NAME",
		Short: "Set variables for the workspaces that start from now on",
		Long: `Sets variables. With a name alone the value is read from standard input, without the newline at its end: a secret then stands
neither in the shell's history nor among the processes.`,
		Example: `  lanyard env set EDITOR=vim
  lanyard env set --repository https://git.example.test/payments/api LOG_LEVEL=debug
  lanyard env set --project payments --secret SENTRY_DSN < dsn.txt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			orders, err := a.variables(args, secret)
			if err != nil {
				return err
			}
			return a.as(cmd, s.user, func(r *remote.Remote) error {
				for _, o := range orders {
					o.Project, o.Repository = s.project, s.repository
					v, err := r.SetVariable(cmd.Context(), o)
					if err != nil {
						return err
					}
					if asJSON {
						err = a.out.json(v)
					} else {
						a.out.line("%s is set, for workspaces that start from now on", v.Name)
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	a.scopeFlags(cmd, &s)
	cmd.Flags().BoolVar(&secret, "secret", false, "encrypt it, never show it again, and give it only where that is allowed")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print each variable, a line each")
	return cmd
}

// maxInput bounds a value that is read, in bytes; the server's own bound is less.
const maxInput = 1 << 20

// variables reads what is to be set.
func (a *app) variables(args []string, secret bool) (orders []api.SetVariable, err error) {
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok {
			if len(args) > 1 {
				return nil, usage("%q has no value: write NAME=VALUE, or one NAME alone, whose value is read from standard input", arg)
			}
			if terminal(a.c.Stdin) {
				a.err.line("The value of %s, and Ctrl-D:", name)
			}
			text, err := io.ReadAll(io.LimitReader(bufio.NewReader(a.c.Stdin), maxInput))
			if err != nil {
				return nil, problem.Wrap(err, problem.Invalid, "The value of %s could not be read.", name)
			}
			value = strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
		}
		orders = append(orders, api.SetVariable{Name: name, Value: value, Secret: secret})
	}
	return orders, nil
}

func (a *app) envUnset() *cobra.Command {
	var s scope
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "unset NAME…",
		Aliases: []string{"rm"},
		Short:   "Remove variables; workspaces that run keep them until they stop",
		Example: `  lanyard env unset LOG_LEVEL --repository https://git.example.test/payments/api`,
		Args:    cobra.MinimumNArgs(1),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return a.completeVariables(cmd, s, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.as(cmd, s.user, func(r *remote.Remote) error {
				for _, name := range args {
					if err := r.UnsetVariable(cmd.Context(), name, s.project, s.repository); err != nil {
						return err
					}
					if asJSON {
						if err := a.out.json(map[string]any{"name": name, "removed": true}); err != nil {
							return err
						}
						continue
					}
					a.out.line("%s is removed", name)
				}
				return nil
			})
		},
	}
	a.scopeFlags(cmd, &s)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was removed, a line each")
	return cmd
}

// as does something as a person, or as the operator.
func (a *app) as(cmd *cobra.Command, user string, do func(*remote.Remote) error) error {
	r, err := a.connect(cmd.Context(), user)
	if err != nil {
		return err
	}
	defer r.Close()
	return do(r)
}

func (a *app) dotfiles() *cobra.Command {
	var user string
	var asJSON, none bool
	cmd := &cobra.Command{
		Use:   "dotfiles [REPOSITORY-URL]",
		Short: "Show or set the repository of your dotfiles",
		Long: `Your dotfiles are cloned to ~/.dotfiles when a workspace of yours starts with a new home, and installed: by install.sh,
bootstrap.sh, setup.sh or the like where there is one, else by links from your home. The repository is read as everything in a
workspace is: it belongs to the workspace's project, or lies where the project may connect to.`,
		Example: `  lanyard dotfiles https://git.example.test/ada/dotfiles
  lanyard dotfiles --none`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if none && len(args) > 0 {
				return usage("either name a repository or say --none")
			}
			return a.as(cmd, user, func(r *remote.Remote) error {
				var p api.Preferences
				var err error
				if none || len(args) > 0 {
					if len(args) > 0 {
						p.Dotfiles = args[0]
					}
					p, err = r.SetPreferences(cmd.Context(), p)
				} else {
					p, err = r.Preferences(cmd.Context())
				}
				switch {
				case err != nil:
					return err
				case asJSON:
					return a.out.json(p)
				case p.Dotfiles == "":
					a.out.line("You have no repository of dotfiles.")
				default:
					a.out.line("%s", p.Dotfiles)
				}
				return nil
			})
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&none, "none", false, "have none from now on")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
	return cmd
}
