package policy

import (
	"sync"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Slice is the policies that one kind of question can meet: an action, a kind of resource, a kind of principal. It is
// immutable and stays the same value as long as its Set is.
type Slice struct {
	rules     []sliced
	byProject map[identity.ProjectID][]sliced // those that name one project, by its ID; nil when there are none
	byName    map[string][]sliced             // by its name
	byThing   map[types.EntityUID][]sliced    // those about one resource
	grouped   []sliced                        // the others whose principal is in one group
	byGroup   map[string][]sliced             // the same by the group's object ID; nil when there are few
	groups    []types.EntityUID               // that policies name
	roles     []types.EntityUID
	reads     reads
}

// rule is a policy with all that is known of it.
type rule struct {
	id     string
	alone  []string // the ID as a list
	number int      // its place among all
	file   string
	line   int
	forbid bool
	lift   lift
	policy *cedar.Policy
	body   *ast.Policy
	names  []types.EntityUID // entities that it mentions
	reads  reads
}

// sliced is a rule as one slice evaluates it.
type sliced struct {
	*rule
	compiled bool // by test; otherwise Cedar evaluates it
	test     test
	clock    bool // it reads the clock in a way that only Cedar knows
}

// Slice finds the policies that a question can meet. It is nil where the schema does not let the action be asked for
// such a resource; Decide denies there. Who remembers a verdict remembers it for the slice, the principal, the resource,
// what Reads leaves of the circumstances, and the facts that were asked for; until Verdict.Until.
func (s *Set) Slice(action identity.Action, r identity.Resource, p identity.PrincipalKind) *Slice {
	of := s.slices[action]
	if of == nil {
		return nil
	}
	one := of[place(resourceType(r.Kind))][place(principalType(p))]
	if one == nil {
		return nil
	}
	one.once.Do(func() { one.slice = newSlice(one.key, s.all) })
	return one.slice
}

// Reads is c without what no policy of the slice reads. Circumstances that it makes equal get the same verdict.
func (sl *Slice) Reads(c Circumstances) Circumstances { return sl.reads.only(c) }

type sliceKey struct {
	action    identity.Action
	resource  types.EntityType
	principal types.EntityType
}

// sliceTable holds the slices of one action, by the places of resource and principal.
type sliceTable [places][places]*lazySlice

// lazySlice is made when it is first asked for: most questions are never asked.
type lazySlice struct {
	key   sliceKey
	once  sync.Once
	slice *Slice
}

const places = 14

// place is the row or column of an entity type; 0 for what is neither asked for nor asks.
func place(t types.EntityType) int {
	switch t {
	case typeUser:
		return 1
	case typeOperator:
		return 2
	case typeAnonymous:
		return 3
	case typeService:
		return 4
	case typeRepo:
		return 5
	case typeApp:
		return 6
	case typeWorkspace:
		return 7
	case typeProject:
		return 8
	case typeInstallation:
		return 9
	case typeGrant:
		return 10
	case typeAudience:
		return 11
	case typeRegistry:
		return 12
	case typeEgress:
		return 13
	}
	return 0
}
