package inside

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

func (a *app) timeout() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "timeout",
		Short: "Show or change after how long without use this workspace stops",
		Args:  known,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().BoolVar(&asJSON, "json", false, "as JSON")
	answer := func(x agentapi.OwnTimeout) error {
		if asJSON {
			return a.json(x)
		}
		fmt.Fprintln(a.c.Stdout, clean(timeoutWords(x, a.c.Now())))
		return nil
	}
	set := func(cmd *cobra.Command, o agentapi.SetTimeout) error {
		var x agentapi.OwnTimeout
		if err := a.do(cmd.Context(), http.MethodPost, agentapi.OwnPrefix+"/timeout", o, &x); err != nil {
			return err
		}
		return answer(x)
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "show", Short: "Show it, and when the workspace stops", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				var x agentapi.OwnInfo
				if err := a.do(cmd.Context(), http.MethodGet, agentapi.OwnPrefix, nil, &x); err != nil {
					return err
				}
				return answer(x.Timeout)
			},
		},
		&cobra.Command{
			Use: "set DURATION", Short: "Set it for this workspace, such as 90m or 3h; 0 is the project's again", Args: cobra.ExactArgs(1), Example: a.example("timeout set 3h", "timeout set 0"),
			RunE: func(cmd *cobra.Command, args []string) error {
				if args[0] == "0" || args[0] == "default" {
					return set(cmd, agentapi.SetTimeout{})
				}
				if d, err := time.ParseDuration(args[0]); err != nil || d <= 0 {
					return usage("%q is not a time; write it as 45m, 2h or 1h30m", args[0])
				}
				return set(cmd, agentapi.SetTimeout{Timeout: args[0]})
			},
		},
		&cobra.Command{
			Use: "extend", Short: "Let it begin anew, as if the workspace was used just now", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return set(cmd, agentapi.SetTimeout{Extend: true}) },
		},
	)
	return cmd
}

// timeoutWords says when a workspace stops.
func timeoutWords(x agentapi.OwnTimeout, now time.Time) string {
	d, err := time.ParseDuration(x.Timeout)
	if err != nil || d == 0 {
		return "it does not stop by itself"
	}
	text := problem.Length(d) + " without use"
	if x.Own {
		text += " (set here)"
	}
	if !x.Stops.IsZero() {
		text += fmt.Sprintf("; stops in %s unless it is used", problem.Length(max(0, x.Stops.Sub(now))))
	}
	if !x.Last.IsZero() {
		text += "; in any case at " + x.Last.Local().Format(time.DateTime)
	}
	return text
}
