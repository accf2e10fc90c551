package project

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Revision is one accepted state of the project and policy files. Replicas follow revisions, not folders.
type Revision struct {
	Number   int64
	At       time.Time
	Projects map[string]string // file name to text
	Policies map[string]string // file name to text
}

// Name gives a project's name its immutable ID, once.
type Name struct {
	Name string
	ID   identity.ProjectID
}

// Pin is a group name that a configuration used, resolved once (invariant: a group is its object ID).
type Pin struct {
	Name  string
	Group identity.GroupID
}
