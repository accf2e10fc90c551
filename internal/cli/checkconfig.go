package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"

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
	// TokenFiles are the audiences whose tokens stand in files of workspaces, each with its place.
	TokenFiles []string `json:"token_files"`
	// Read says what was read, for a configuration without findings.
	Read string `json:"read"`
	// Redirects are the addresses to register at an OpenID provider that is not Entra: after signing in, after signing out.
	Redirects []string `json:"redirects,omitempty"`
	// Revision is the number of the revision of projects and policies that the database holds, 0 when it holds none; Same
	// says that it is what the folders hold now.
	Revision int64  `json:"revision"`
	Same     bool   `json:"same"`
	Stored   string `json:"stored,omitempty"` // the same in words, or why it cannot be said

	files project.Revision // as the folders are
}

// stored compares the folders with what the servers follow.
func (r *CheckReport) stored(revision project.Revision, err error) {
	r.Revision = revision.Number
	r.Same = revision.Number > 0 && maps.Equal(revision.Projects, r.files.Projects) && maps.Equal(revision.Policies, r.files.Policies)
	switch {
	case err != nil:
		r.Stored = "The database cannot be read, so it is not known which revision is in force: " + err.Error()
	case revision.Number == 0:
		r.Stored = "The database holds no revision of projects and policies yet."
	case r.Same:
		r.Stored = fmt.Sprintf("Revision %d is in force, and is what the folders hold.", r.Revision)
	default:
		r.Stored = fmt.Sprintf("Revision %d is in force; the folders hold something else, which a running server takes over when it is in order.", r.Revision)
	}
}

// checkConfig reads a configuration with its projects and policies. Names of groups are not looked up: that takes the
// directory, which only a running server has.
func checkConfig(ctx context.Context, path string) (CheckReport, error) {
	report := CheckReport{Findings: []string{}, LongLived: []string{}, TokenFiles: []string{}}
	c, err := config.Read(path)
	if err != nil {
		return report, report.find(err)
	}
	if err := report.find(c.CheckFiles().Err()); err != nil {
		return report, err
	}
	report.longLived(c.LongLived())
	report.Redirects = redirects(c)
	loader := project.NewLoader(project.LoaderConfig{
		Projects: c.Projects, Policies: c.Policies, Tenant: c.Tenant(), Global: c.Roles, Log: slog.New(slog.DiscardHandler),
		Apply: func(_ context.Context, change project.Change) error {
			report.files = change.Revision
			report.longLived(change.Projects.LongLived())
			for _, f := range change.Projects.TokenFiles() {
				report.TokenFiles = append(report.TokenFiles, f.String())
			}
			if err := report.find(checkGitHub(c.GitHub, change.Projects.All()).Err()); err != nil {
				return err
			}
			if err := report.find(checkProvider(c.OIDC, change.Projects.All()).Err()); err != nil {
				return err
			}
			if err := report.find(checkClients(c, change.Projects.All()).Err()); err != nil {
				return err
			}
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

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}
