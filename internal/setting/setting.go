// Package setting keeps what people set for workspaces beside the repository's own files: environment variables, of a person
// or of a project, and each person's dotfiles. Secret values are sealed at rest, are never shown again, and go into a
// workspace only where that is asked for (Query.Secrets).
package setting

import (
	"context"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Scope is whose a variable is, and which workspaces it is for. One of User and Project is set.
type Scope struct {
	User    identity.UserID    // for this person's workspaces
	Project identity.ProjectID // for everybody's workspaces in this project
	// Repository narrows it to workspaces on this one (its canonical URL); empty: all of them.
	Repository string
}

// Variable is an environment variable. The value of a secret one is empty wherever variables are listed.
type Variable struct {
	Scope
	Name    string
	Value   string
	Secret  bool
	By      string // display name of who set it last
	Changed time.Time
}

// Row is a variable as it is stored: a secret one has Sealed, another one Value.
type Row struct {
	Variable
	Sealed []byte
}

// Rows stores settings.
type Rows interface {
	// Variables are those of a user, or of a project, for whatever repository, by repository and name. One of both is zero.
	Variables(ctx context.Context, u identity.UserID, p identity.ProjectID) ([]Row, error)
	// PutVariable adds one, or replaces that of the same scope and name.
	PutVariable(ctx context.Context, r Row) error
	// DropVariable removes one; found is false where there is none.
	DropVariable(ctx context.Context, at Scope, name string) (found bool, err error)
	// Dotfiles is the address of a user's repository of them; empty when they have none.
	Dotfiles(ctx context.Context, u identity.UserID) (string, error)
	PutDotfiles(ctx context.Context, u identity.UserID, repository string) error
}

// Sealer keeps secret values unreadable at rest (token.Sealer).
type Sealer interface {
	Seal(associated string, plain []byte) []byte
	Open(associated string, sealed []byte) ([]byte, error)
}

// Config makes Settings. All fields are required but Now.
type Config struct {
	Rows   Rows
	Sealer Sealer
	Now    func() time.Time // nil: time.Now
}

// Settings are all of an installation.
type Settings struct{ c Config }

// New returns Settings.
func New(c Config) *Settings {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Settings{c}
}

// SealedAs is what a secret variable's value is sealed as: it cannot be put in the place of another's.
func SealedAs(at Scope, name string) string {
	owner := "user " + at.User.Key()
	if at.Project != "" {
		owner = "project " + string(at.Project)
	}
	return "variable " + name + " of " + owner + " for " + at.Repository
}
