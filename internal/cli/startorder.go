package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
)

// orderFlags are what can be said of a new workspace beside its context URL.
func (a *app) orderFlags(cmd *cobra.Command, o *api.Order, yes *bool) {
	cmd.Flags().StringVar(&o.Class, "class", "", "the size of a new workspace, of those that its project offers; left out: the smallest that has what its file needs, else the project's")
	cmd.Flags().StringVar(&o.File, "file", "", "the repository's file to go by, or the folder of .devcontainer that holds it; none: no file")
	cmd.Flags().BoolVarP(yes, "yes", "y", false, "set the variables of the context URL, and open another person's snapshot, without asking")
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

// confirmSnapshot shows whose a snapshot is that fills the workspace, and asks whether it is wanted, unless all of it is the person's own:
// what is in it, and what the start runs of it, nobody else may ever have seen.
func (a *app) confirmSnapshot(ctx context.Context, r *remote.Remote, o *api.Order, yes bool) error {
	if !strings.HasPrefix(o.ContextURL, "snapshot/") {
		return nil
	}
	if o.Confirmed = yes; yes {
		return nil
	}
	var c api.Context
	if err := r.Do(ctx, "GET", "/context", map[string][]string{"url": {o.ContextURL}}, nil, &c); err != nil {
		return err
	}
	if c.Snapshot == nil || !c.Snapshot.Foreign {
		return nil
	}
	if c.Snapshot.Own {
		a.err.line("You took this snapshot of a workspace with another person's files. A workspace runs what is in it as you:")
	} else {
		a.err.line("This snapshot is another person's. The workspace runs what is in it as you:")
	}
	a.err.line("  %s, taken by %s on %s, of %s", c.Snapshot.ID, c.Snapshot.OwnerName, minute(c.Snapshot.Created), at(c.Repository, c.Ref))
	for _, o := range c.Snapshot.Origins {
		a.err.line("  files in it come from %s, taken by %s on %s", o.ID, o.OwnerName, minute(o.Created))
	}
	if c.Snapshot.Note != "" {
		a.err.line("  note: %s", c.Snapshot.Note)
	}
	if c.Snapshot.Uncommitted {
		a.err.line("  it holds changes that were not committed, which no review has seen")
	}
	if !terminal(a.c.Stdin) {
		return usage("nobody is at a terminal to say yes to this snapshot; run it again with --yes if you want it")
	}
	err := a.agreed("Start it? [y/N] ")
	o.Confirmed = err == nil
	return err
}

// minute is a time as somebody reads it who does not count seconds.
func minute(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

// agreed asks a question, whose other answers end the command.
func (a *app) agreed(question string) error {
	fmt.Fprint(a.err, question)
	var answer string
	_, _ = fmt.Fscanln(a.c.Stdin, &answer) // nothing is no
	if !strings.EqualFold(answer, "y") && !strings.EqualFold(answer, "yes") {
		return problem.New(problem.Invalid, "Nothing was started.")
	}
	return nil
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
		return usage("nobody is at a terminal to say yes to these variables; run it again with --yes if you want them")
	}
	err = a.agreed("Start it with them? [y/N] ")
	o.Confirmed = err == nil
	return err
}
