package inside

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

func (a *app) ports() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ports", Short: "What listens in this workspace", Args: known, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var asJSON bool
	list := &cobra.Command{
		Use: "list", Short: "List the ports on which something listens, and those of the repository's file", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			states, err := a.agents().Ports(cmd.Context())
			if err != nil {
				return a.near(cmd.Context(), err)
			}
			if asJSON {
				return a.json(append([]agentapi.PortState{}, states...))
			}
			w := tabwriter.NewWriter(a.c.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "PORT\tSTATE\tNAME\tON OPEN\tDESCRIPTION")
			for _, s := range states {
				if s.OnOpen == agentapi.PortUnlisted {
					continue
				}
				state := "not listening"
				if s.Listening {
					state = "listening"
				}
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", s.Port, state, dash(s.Name), dash(s.OnOpen), dash(s.Text))
			}
			return w.Flush()
		},
	}
	list.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	await := &cobra.Command{
		Use: "await PORT", Short: "Wait until something listens on a port", Example: a.example("ports await 3000"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			port, err := strconv.ParseUint(args[0], 10, 16)
			if err != nil || port == 0 {
				return usage("%q is not a port; they go from 1 to 65535", args[0])
			}
			return a.awaitPort(cmd.Context(), int(port))
		},
	}
	cmd.AddCommand(list, await)
	return cmd
}

func (a *app) awaitPort(ctx context.Context, port int) error {
	watch, stop := context.WithCancel(ctx)
	defer stop()
	found := false
	err := a.agents().Watch(watch, func(n agentapi.Now) {
		for _, p := range n.Ports {
			if p.Port == port && p.Listening {
				found = true
				stop()
			}
		}
	})
	if found {
		return nil
	}
	return a.near(ctx, err)
}

func (a *app) syncAwait() *cobra.Command {
	return &cobra.Command{
		Use: "sync-await NAME", Short: "Wait until sync-done was called with this name", Args: cobra.ExactArgs(1),
		Example: a.example("sync-await database"),
		Long: `Waits until another process of this workspace, in another task for instance, calls sync-done with this name. What is done
stays done until the workspace stops.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.near(cmd.Context(), a.agents().SyncAwait(cmd.Context(), args[0]))
		},
	}
}

func (a *app) syncDone() *cobra.Command {
	return &cobra.Command{
		Use: "sync-done NAME", Short: "Let go on who waits with sync-await for this name", Args: cobra.ExactArgs(1),
		Example: a.example("sync-done database"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.near(cmd.Context(), a.agents().SyncDone(cmd.Context(), args[0]))
		},
	}
}

func (a *app) copyOut(from io.Reader) error {
	to := io.Writer(a.c.Stdout)
	if isTerminal(a.c.Stdout) {
		to = agentapi.Shown(to)
	}
	if _, err := io.Copy(to, from); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
