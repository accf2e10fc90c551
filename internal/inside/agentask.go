package inside

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

func (a *app) agentAsk() *cobra.Command {
	var order agentapi.AgentAsk
	var asJSON, noWait bool
	cmd := &cobra.Command{
		Use:   "ask --allow LINE --why TEXT",
		Short: "As an AI agent: ask your person for more than you were given",
		Long: `Asks the person for whom this AI agent works for more than it was given, and waits until they decide: exit status 0 when
they gave it, 3 when they refused. What is given ends with the AI agent.`,
		Example: `  lanyard agent ask --allow repo:write --why "the tests pass; push the branch"`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			x, err := a.agents().AskMore(cmd.Context(), order)
			if err != nil {
				return a.asked(cmd.Context(), err)
			}
			if !asJSON {
				fmt.Fprintf(a.c.Stderr, "%s waits for the person: lanyard agent approve %s, in the workspace.\n", x.ID, x.ID)
			}
			if !noWait {
				if x, err = a.decision(cmd.Context(), x); err != nil {
					return err
				}
			}
			if asJSON {
				return a.json(x)
			}
			fmt.Fprintln(a.c.Stdout, clean(x.ID+" "+x.State+words(x)))
			if x.State == "refused" {
				return statusError{status: exitDenied}
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&order.Allow, "allow", nil, "what for, as of `lanyard agent run`; may be given again")
	cmd.Flags().StringVar(&order.Why, "why", "", "the `reason`, for who decides and for the audit log")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait until it is decided")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func words(x agentapi.Asked) string {
	if x.Words == "" {
		return ""
	}
	return ": " + x.Words
}

// askEvery is how often an AI agent that waits looks whether its person has decided.
const askEvery = time.Second

// decision waits until an ask is decided.
func (a *app) decision(ctx context.Context, x agentapi.Asked) (agentapi.Asked, error) {
	for x.State == "pending" {
		select {
		case <-ctx.Done():
			return x, ctx.Err()
		case <-time.After(askEvery):
		}
		list, err := a.agents().Asks(ctx)
		if problem.KindOf(err) == problem.Unavailable && err != nil {
			continue // the server is away for a moment
		}
		if err != nil {
			return x, err
		}
		for _, one := range list {
			if one.ID == x.ID {
				x = one
			}
		}
	}
	return x, nil
}

func (a *app) agentDecide(verb string, approve bool) *cobra.Command {
	var why string
	var asJSON bool
	short := "Give an AI agent what it asks for"
	if !approve {
		short = "Refuse an AI agent what it asks for"
	}
	cmd := &cobra.Command{
		Use:   verb + " REQUEST",
		Short: short,
		Long:  short + `, named by the request's ID as "lanyard agent list" shows it.`,
		Args:  cobra.ExactArgs(1), Example: a.example("agent " + verb + " g-abcdefghij234567"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return a.completeAsks(cmd.Context(), args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			x, err := a.agents().AnswerAsk(cmd.Context(), args[0], agentapi.AskAnswer{Approve: approve, Why: why})
			if err != nil {
				return a.asked(cmd.Context(), err)
			}
			if asJSON {
				return a.json(x)
			}
			fmt.Fprintf(a.c.Stdout, "%s: %s %s.\n", oneLine(x.Agent), oneLine(strings.Join(x.Allow, ", ")), clean(x.State))
			return nil
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "a `word` to the AI agent")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// completeAsks offers what waits to be decided.
func (a *app) completeAsks(ctx context.Context, args []string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(ctx, completeWithin)
	defer cancel()
	list, err := a.agents().Asks(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var ids []cobra.Completion
	for _, x := range list {
		if x.State == "pending" {
			ids = append(ids, cobra.CompletionWithDesc(clean(x.ID), oneLine(x.Agent+": "+strings.Join(x.Allow, ", "))))
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
