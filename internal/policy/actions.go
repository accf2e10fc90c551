package policy

import (
	"maps"
	"slices"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Actions are all actions that the schema knows, in alphabetical order.
func (s *Set) Actions() []identity.Action { return slices.Sorted(maps.Keys(s.slices)) }
