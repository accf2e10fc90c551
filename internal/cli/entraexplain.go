package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/aadsts"
)

const messageAtMost = 16 << 10 // bytes

func (a *app) entraExplain() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain CODE|TEXT…",
		Short: "Say what a message of Entra's means, and who can mend it",
		Long: `Explains an error number of Entra's (AADSTS50105, or 50105), or the message that holds it, as Microsoft's page or a
log shows it: what happened, who can mend it and where. "-" reads the message from standard input. It asks nobody; people
find the same at /login/help.

Exit status: 0 when it is known, 1 when not.`,
		Example: `  lanyard entra explain AADSTS50105
  lanyard entra explain 53003
  xclip -o | lanyard entra explain -`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(_ *cobra.Command, args []string) error {
			text := strings.Join(args, " ")
			if text == "-" {
				b, err := io.ReadAll(io.LimitReader(a.c.Stdin, messageAtMost))
				if err != nil {
					return err
				}
				text = string(b)
			}
			told := aadsts.Read(text)
			meaning, known := aadsts.Of(told.Number)
			h := api.Help{Code: told.Code(), Who: string(meaning.Who), Do: meaning.Do, Correlation: told.Correlation, Trace: told.Trace, Time: told.Time}
			if asJSON {
				if err := a.out.json(struct {
					Means string `json:"means,omitempty"`
					api.Help
				}{meaning.Sentence(), h}); err != nil {
					return err
				}
			} else if known {
				a.out.line("%s: %s", h.Code, meaning.Sentence())
				showHelp(a.out, h)
			}
			switch {
			case known:
				return nil
			case asJSON:
				return statusError{status: exitFailed}
			case told.Number == 0:
				return usage("there is no number of Entra's in that; it stands behind AADSTS")
			}
			a.err.line("%s is not known here. Microsoft's list: https://login.microsoftonline.com/error?code=%d", told.Code(), told.Number)
			return statusError{status: exitFailed}
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an object")
	return cmd
}

// help tells who can mend what was refused.
func (a *app) help(h api.Help) { showHelp(a.err, h) }

func showHelp(o output, h api.Help) {
	switch {
	case h.Do == "":
	case h.Who == string(aadsts.You):
		o.line("  You can mend this yourself. %s", h.Do)
	default:
		o.line("  This can be mended by %s. %s", h.Who, h.Do)
	}
	var ids []string
	for _, id := range [][2]string{{"", h.Code}, {"correlation ID ", h.Correlation}, {"trace ID ", h.Trace}, {"at ", h.Time}} {
		if id[1] != "" {
			ids = append(ids, id[0]+id[1])
		}
	}
	if len(ids) > 0 {
		o.line("  In the organisation's sign-in log: %s", strings.Join(ids, ", "))
	}
}
