package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/source"
)

// CheckReport is what checking a configuration found.
type CheckReport struct {
	// Findings are what is wrong, each with its place: "file:line:column: what".
	Findings []string `json:"findings"`
	// LongLived are the credentials left that work until somebody changes them, each with its place and with how to be
	// rid of it.
	LongLived []string `json:"long_lived"`
	// Read says what was read, for a configuration without findings.
	Read string `json:"read"`
}

// checkConfig reads a configuration with its projects and policies. Names of groups are not looked up: that takes the
// directory, which only a running server has.
func checkConfig(ctx context.Context, path string) (CheckReport, error) {
	report := CheckReport{Findings: []string{}, LongLived: []string{}}
	c, err := config.Read(path)
	if err != nil {
		return report, report.find(err)
	}
	if err := report.find(c.CheckFiles().Err()); err != nil {
		return report, err
	}
	report.longLived(c.LongLived())
	loader := project.NewLoader(project.LoaderConfig{
		Projects: c.Projects, Policies: c.Policies, Tenant: c.Entra.Tenant, Global: c.Roles, Log: slog.New(slog.DiscardHandler),
		Apply: func(_ context.Context, change project.Change) error {
			report.longLived(change.Projects.LongLived())
			report.Read = count(len(change.Revision.Projects), "project file") + " and " + count(len(change.Revision.Policies), "policy file")
			return report.find(source.Findings(change.Projects.Findings()).Err())
		},
	})
	return report, report.find(loader.Look(ctx))
}

// find adds what an error found; an error that found nothing in a file is returned.
func (r *CheckReport) find(err error) error {
	var found source.Findings
	if !errors.As(err, &found) {
		return err
	}
	for _, f := range found {
		r.Findings = append(r.Findings, f.String())
	}
	return nil
}

func (r *CheckReport) longLived(found source.Findings) {
	for _, f := range found {
		r.LongLived = append(r.LongLived, f.String())
	}
}

			if err := report.find(checkGitHub(c.GitHub, change.Projects.All()).Err()); err != nil {
				return err
			}
func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}
