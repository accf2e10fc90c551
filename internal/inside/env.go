package inside

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// env is Gitpod's command, whose arguments say what it does, and the same as commands of their own.
func (a *app) env() *cobra.Command {
	var asJSON, export, unset, secret bool
	cmd := &cobra.Command{
		Use:   "env [NAME=VALUE…]",
		Short: "List, set and remove environment variables of your workspaces on this repository",
		Long: `Lists the variables that people set for this workspace, or sets your own for your workspaces on this repository. What is set
counts from the next start on; for this shell:  eval "$(lanyard env -e NAME=VALUE)"

Of the same name the later wins: what the repository's own file says, the project's, the project's for this repository,
yours, yours for this repository, what was given with the context URL. Names that begin with GITPOD_ and LANYARD_ are
Lanyard's own. Secret variables, and those for all your workspaces, are set outside: lanyard env set --secret NAME.`,
		Example: a.example("env", "env LOG_LEVEL=debug", "env -u LOG_LEVEL"),
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case unset:
				return a.unsetEnv(cmd, args, asJSON)
			case len(args) > 0:
				return a.setEnv(cmd, args, asJSON, export)
			}
			return a.listEnv(cmd, asJSON, export)
		},
	}
	cmd.PersistentFlags().BoolVar(&asJSON, "json", false, "as JSON")
	cmd.Flags().BoolVarP(&export, "export", "e", false, "print them as export commands for a shell")
	cmd.Flags().BoolVarP(&unset, "unset", "u", false, "remove the variables named")
	cmd.Flags().BoolVarP(&secret, "scope", "s", false, "of no effect here: what is set here is for this repository")
	_ = cmd.Flags().MarkHidden("scope") // fails for an unknown flag only
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List them", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return a.listEnv(cmd, asJSON, false) }},
		&cobra.Command{Use: "set NAME=VALUE…", Short: "Set your own for this repository", Example: a.example("env set LOG_LEVEL=debug"), Args: cobra.MinimumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error { return a.setEnv(cmd, args, asJSON, false) }},
		&cobra.Command{Use: "unset NAME…", Short: "Remove your own for this repository", Example: a.example("env unset LOG_LEVEL"), Args: cobra.MinimumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error { return a.unsetEnv(cmd, args, asJSON) }},
	)
	return cmd
}

func (a *app) listEnv(cmd *cobra.Command, asJSON, export bool) error {
	var all agentapi.OwnVariables
	if err := a.do(cmd.Context(), http.MethodGet, agentapi.OwnPrefix+"/env", nil, &all); err != nil {
		return err
	}
	switch {
	case asJSON:
		return a.json(all)
	case export:
		for _, v := range all.Items {
			if v.Given && !v.Secret {
				a.export(v.Name, v.Value)
			}
		}
		return nil
	case len(all.Items) == 0:
		fmt.Fprintln(a.c.Stderr, "No variables are set for this workspace.")
		return nil
	}
	w := tabwriter.NewWriter(a.c.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tVALUE\tFOR\tSET BY")
	for _, v := range all.Items {
		value := v.Value
		if v.Secret {
			value = "(secret)"
			if !v.Given {
				value = "(secret, not given to workspaces here)"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", clean(v.Name), oneLine(value), clean(v.For), clean(v.By))
	}
	return w.Flush()
}

func (a *app) setEnv(cmd *cobra.Command, args []string, asJSON, export bool) error {
	o := agentapi.SetOwnVariables{Set: map[string]string{}}
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			return usage("%q is not NAME=VALUE, such as LOG_LEVEL=debug", arg)
		}
		o.Set[name] = value
	}
	var all agentapi.OwnVariables
	if err := a.do(cmd.Context(), http.MethodPost, agentapi.OwnPrefix+"/env", o, &all); err != nil {
		return err
	}
	switch {
	case asJSON:
		return a.json(all)
	case export:
		for _, arg := range args {
			name, value, _ := strings.Cut(arg, "=")
			a.export(name, value)
		}
		return nil
	}
	for _, arg := range args {
		fmt.Fprintln(a.c.Stdout, oneLine(arg))
	}
	fmt.Fprintln(a.c.Stderr, "Set for your workspaces on this repository, from their next start on.")
	return nil
}

func (a *app) unsetEnv(cmd *cobra.Command, names []string, asJSON bool) error {
	if len(names) == 0 {
		return usage("`%s` needs NAME.\nFor example: %[1]s LOG_LEVEL", cmd.CommandPath()+" -u")
	}
	var all agentapi.OwnVariables
	for _, name := range names {
		if err := a.do(cmd.Context(), http.MethodDelete, agentapi.OwnPrefix+"/env?name="+url.QueryEscape(name), nil, &all); err != nil {
			return err
		}
	}
	if asJSON {
		return a.json(all)
	}
	fmt.Fprintf(a.c.Stderr, "Removed %s, from the next start on.\n", oneLine(strings.Join(names, ", ")))
	return nil
}

// export writes a command that sets a variable in a shell, whatever its value.
func (a *app) export(name, value string) {
	fmt.Fprintf(a.c.Stdout, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
}
