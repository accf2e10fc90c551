package setting

import (
	"context"
	"net/url"
	"strings"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// maxAddress bounds the address of a repository, in bytes.
const maxAddress = 2 << 10

// Dotfiles is the repository of a person's dotfiles; empty when they have none.
func (s *Settings) Dotfiles(ctx context.Context, u identity.UserID) (string, error) {
	return s.c.Rows.Dotfiles(ctx, u)
}

// SetDotfiles keeps it; empty removes it. What cannot be cloned, or has a password in it, is a problem.Invalid.
func (s *Settings) SetDotfiles(ctx context.Context, u identity.UserID, repository string) error {
	if repository != "" {
		at, err := url.Parse(repository)
		switch {
		case err != nil || len(repository) > maxAddress || at.Scheme != "https" && at.Scheme != "http" || at.Host == "" || strings.Trim(at.Path, "/") == "" || strings.ContainsAny(repository, " \t\r\n\x00"):
			return problem.New(problem.Invalid, "That is not a repository's address that workspaces can clone: it looks like https://git.example.com/ada/dotfiles.")
		case at.User != nil:
			return problem.New(problem.Invalid, "The address has a user name or a password in it. Write it without: who you are, Lanyard says by itself where you may read the repository.")
		case at.RawQuery != "" || at.Fragment != "":
			return problem.New(problem.Invalid, "The address has something after the repository's path; write it without.")
		}
	}
	return s.c.Rows.PutDotfiles(ctx, u, repository)
}
