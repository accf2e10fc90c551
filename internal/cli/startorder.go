package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
)

// orderFlags are what can be said of a new workspace beside its context URL.
func (a *app) orderFlags(cmd *cobra.Command, o *api.Order, yes *bool) {
	cmd.Flags().StringVar(&o.Class, "class", "", "the size of a new workspace, of those that its project offers")
	cmd.Flags().StringVar(&o.File, "file", "", "the repository's file to go by, or the folder of .devcontainer that holds it; none: no file")
	cmd.Flags().BoolVarP(yes, "yes", "y", false, "set the variables of the context URL without asking")
	_ = cmd.RegisterFlagCompletionFunc("class", func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.completeClasses(cmd, args)
	})
	_ = cmd.RegisterFlagCompletionFunc("file", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return []cobra.Completion{".gitpod.yml", ".devcontainer/devcontainer.json", ".devcontainer.json", described("none", "no file of the repository")}, cobra.ShellCompDirectiveNoFileComp
	})
}

// completeClasses offers the classes of the repository that is named, or of all of the person's projects.
func (a *app) completeClasses(cmd *cobra.Command, args []string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.offer(cmd, func(ctx context.Context, r *remote.Remote) (names []cobra.Completion, err error) {
		if len(args) == 0 {
			return nil, nil
		}
		var c api.Context
		err = r.Do(ctx, "GET", "/context", map[string][]string{"url": {args[0]}}, nil, &c)
		for _, one := range c.Classes {
			names = append(names, described(one.Name, one.Title))
		}
		return names, err
	})
}

// confirmVariables shows the variables of a context URL, which a stranger may have written, and asks whether they are wanted.
func (a *app) confirmVariables(o *api.Order, yes bool) error {
	if _, err := identity.ParseWorkspaceID(o.ContextURL); err == nil {
		if o.Class != "" || o.File != "" {
			return problem.New(problem.Invalid, "--class and --file are for new workspaces; %s is there already.", o.ContextURL)
		}
		return nil
	}
	c, err := project.ParseContext(o.ContextURL)
	if err != nil || len(c.Variables) == 0 { // what is wrong, the server says
		return nil
	}
	o.Confirmed = yes
	if yes {
		return nil
	}
	a.err.line("The context URL sets in the workspace:")
	for _, name := range slices.Sorted(maps.Keys(c.Variables)) {
		a.err.line("  %s=%q", name, c.Variables[name])
	}
	if !terminal(a.c.Stdin) {
		return usage("somebody has to want these variables; run it again with --yes if you do")
	}
	fmt.Fprint(a.err, "Start it with them? [y/N] ")
	var answer string
	_, _ = fmt.Fscanln(a.c.Stdin, &answer) // nothing is no
	if o.Confirmed = strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes"); !o.Confirmed {
		return problem.New(problem.Invalid, "Nothing was started.")
	}
	return nil
}
