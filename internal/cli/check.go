package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) check() *cobra.Command {
	var config string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Check a configuration, its projects and policies",
		Long: `Reads the configuration with its projects and policies, and says what is wrong with file, line and column. Nothing is
started and nothing changed. It also lists every long-lived credential that is left, and how to be rid of it.`,
		Example: `  lanyard check --config lanyard.yaml
  lanyard check --config lanyard.yaml --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if config == "" {
				return usage("which configuration? Name its file with --config")
			}
			report, err := checkConfig(cmd.Context(), config)
			if err != nil {
				return err
			}
			if a.c.Revision != nil {
				report.stored(a.c.Revision(cmd.Context(), config))
			}
			if asJSON {
				if err := a.out.json(report); err != nil {
					return err
				}
			} else {
				a.showCheck(config, report)
			}
			if len(report.Findings) > 0 {
				return statusError{status: exitFailed}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "the configuration `file` (lanyard.yaml)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

func (a *app) showCheck(config string, r CheckReport) {
	for _, f := range r.Findings {
		a.out.line("%s", f)
	}
	switch n := len(r.Findings); {
	case n == 1:
		a.out.line("%s: 1 thing is wrong.", config)
	case n > 1:
		a.out.line("%s: %d things are wrong.", config, n)
	default:
		a.out.line("%s is in order: %s.", config, r.Read)
	}
	if len(r.Redirects) > 0 {
		a.out.line("To be registered at the provider: the redirect URI %s and, for signing out, %s.", r.Redirects[0], r.Redirects[1])
	}
	if r.Stored != "" {
		a.out.line("%s", clean(r.Stored))
	}
	if len(r.TokenFiles) > 0 {
		a.out.line("")
		a.out.line("Tokens in files of workspaces:")
		for _, f := range r.TokenFiles {
			a.out.line("  %s", f)
		}
		a.out.line("")
	}
	if len(r.LongLived) == 0 {
		if len(r.Findings) == 0 {
			a.out.line("No long-lived credential is left.")
		}
		return
	}
	a.out.line("")
	a.out.line("Long-lived credentials left:")
	for _, l := range r.LongLived {
		a.out.line("  %s", l)
	}
}
