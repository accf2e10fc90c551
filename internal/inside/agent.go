package inside

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

func (a *app) agent() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run AI agents that have a name and a part of your rights of their own",
		Long: `An AI agent runs beside this workspace, in a second one with its own home and its own way to Lanyard: it reaches only what
you may reach and what you gave it, and the audit log has it under your name and its own. It works on a copy of the
checkout, and its work comes back as a branch that you look at before you use it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.agentRun(), a.agentList(), a.agentShow(), a.agentStop(), a.agentAsk(), a.agentDecide("approve", true), a.agentDecide("refuse", false))
	return cmd
}

// agents reaches the server's part for AI agents.
func (a *app) agents() agentapi.Client { return agentapi.New(a.http.Transport) }

// asked puts an error of the connection itself into the words of this command line.
func (a *app) asked(ctx context.Context, err error) error {
	if err == nil || problem.KindOf(err) != problem.Unavailable {
		return err
	}
	var told *problem.Error
	if errors.As(err, &told) && told.Cause != nil {
		return a.unreachable(ctx, told.Cause)
	}
	return err
}

func (a *app) agentList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the AI agents beside this workspace, what they ask for, and those that ended lately",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := a.agents().Agents(cmd.Context())
			if err != nil {
				return a.asked(cmd.Context(), err)
			}
			if asJSON {
				return a.json(list)
			}
			if len(list) == 0 {
				fmt.Fprintln(a.c.Stdout, "No AI agent runs beside this workspace.")
				return nil
			}
			w := tabwriter.NewWriter(a.c.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tNAME\tSTATE\tMAY\tUNTIL\tBRANCH")
			for _, x := range list {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", clean(x.ID), clean(x.Name), clean(state(x)), clean(strings.Join(x.Allowed, ", ")),
					x.Until.Local().Format(time.DateTime), clean(x.Branch))
			}
			if err := w.Flush(); err != nil {
				return err
			}
			asks, err := a.agents().Asks(cmd.Context())
			if err != nil {
				return a.asked(cmd.Context(), err)
			}
			for _, x := range asks {
				if x.State == "pending" {
					fmt.Fprintf(a.c.Stdout, "\n%s asks for %s: %s\n  lanyard agent approve %s   or   lanyard agent refuse %s\n",
						oneLine(x.Agent), oneLine(strings.Join(x.Allow, ", ")), oneLine(x.Why), clean(x.ID), clean(x.ID))
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func state(x agentapi.Running) string {
	switch {
	case x.State != "ended":
		return x.State
	case x.Why != "":
		return "ended: " + x.Why
	}
	return fmt.Sprintf("ended with status %d", x.Code)
}

func (a *app) agentShow() *cobra.Command {
	var asJSON, noDiff bool
	cmd := &cobra.Command{
		Use:               "show AGENT",
		Short:             "Show an AI agent by its ID, or by its name while it runs, and the work that it handed back",
		Example:           a.example("agent show reviewer"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeAgents,
		RunE: func(cmd *cobra.Command, args []string) error {
			x, err := a.agents().Agent(cmd.Context(), args[0])
			if err != nil {
				return a.asked(cmd.Context(), err)
			}
			if asJSON {
				return a.json(x)
			}
			fmt.Fprintf(a.c.Stdout, "%s  %s\n", clean(x.Name), clean(state(x)))
			for _, line := range [][2]string{
				{"id", x.ID}, {"delegation", x.Grant}, {"lease", x.Lease}, {"may", strings.Join(x.Allowed, ", ")}, {"checkout", x.Checkout},
				{"command", strings.Join(x.Command, " ")}, {"until", x.Until.Local().Format(time.DateTime)},
			} {
				fmt.Fprintf(a.c.Stdout, "  %-10s  %s\n", line[0], clean(line[1]))
			}
			a.work(a.c.Stdout, x, !noDiff)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	cmd.Flags().BoolVar(&noDiff, "no-diff", false, "name the files alone, without what changed in them")
	return cmd
}

func (a *app) agentStop() *cobra.Command {
	var asJSON, noDiff, discard bool
	cmd := &cobra.Command{
		Use:   "stop AGENT",
		Short: "End an AI agent; what it did so far comes back as a branch",
		Long: `Ends an AI agent, named by its ID or, where only one of the name runs, by its name. What it did so far comes back as a
branch. From elsewhere, "lanyard revoke session ID" and "lanyard revoke lease LEASE" do the same.

Of one that has ended and whose work is kept because it could not be handed back, it is tried again now; with --discard the
work is thrown away.`,
		Example:           a.example("agent stop reviewer"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeAgents,
		RunE: func(cmd *cobra.Command, args []string) error {
			end := a.agents().StopAgent
			if discard {
				end = a.agents().DiscardAgent
			}
			x, err := end(cmd.Context(), args[0])
			if err != nil {
				return a.asked(cmd.Context(), err)
			}
			if asJSON {
				return a.json(x)
			}
			if discard {
				fmt.Fprintf(a.c.Stdout, "What %s did is thrown away.\n", clean(x.Name))
				return nil
			}
			fmt.Fprintf(a.c.Stdout, "%s has ended.\n", clean(x.Name))
			a.work(a.c.Stdout, x, !noDiff)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	cmd.Flags().BoolVar(&discard, "discard", false, "throw away what is kept of one that has ended, by its ID")
	cmd.Flags().BoolVar(&noDiff, "no-diff", false, "name the files alone, without what changed in them")
	return cmd
}

// completeAgents offers the AI agents that run.
func (a *app) completeAgents(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	list, err := a.agents().Agents(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var ids []cobra.Completion
	for _, x := range list {
		ids = append(ids, cobra.CompletionWithDesc(clean(x.ID), clean(x.Name+", "+x.State)))
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
