package directory

import (
	"slices"
	"unique"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// fillFrom is how many memberships a directory that has none yet takes at once rather than one by one.
const fillFrom = 4096

// fills reports that memberships can be taken at once: there are none yet, and many come.
func (e *editor) fills(memberships []Membership) bool {
	return e.members.size == 0 && e.parents.size == 0 && len(memberships) >= fillFrom
}

// fill does what setMembership does for each of many, in a directory that has none: every set is made once, as large as it
// will be. Everybody is touched.
func (e *editor) fill(memberships []Membership) {
	var r roster
	r.read(memberships)
	parents := make([]item[memberHandle, []groupHandle], len(r.members))
	for n, size := range r.sizes {
		parents[n].value = make([]groupHandle, 0, size)
	}
	e.effect.Members = make([]Membership, 0, len(memberships))
	sets := make([]item[identity.GroupID, memberSet], 0, len(r.groups))
	var set []item[memberHandle, struct{}]
	for _, g := range r.groups {
		handle := unique.Make(g.id)
		set = set[:0]
		for _, n := range g.members {
			in := &parents[n].value
			if len(*in) > 0 && (*in)[len(*in)-1] == handle {
				continue // said before
			}
			*in = append(*in, handle) // sorted, since the groups are
			set = append(set, r.members[n])
			e.effect.Members = append(e.effect.Members, Membership{Group: g.id, Member: r.members[n].key.Value()})
		}
		sets = append(sets, item[identity.GroupID, memberSet]{key: g.id, hash: hashOf(g.id), value: filled(e.by, set)})
	}
	for n, m := range r.members {
		parents[n].key, parents[n].hash = m.key, m.hash
	}
	e.members, e.parents = filled(e.by, sets), filled(e.by, parents)
}

// roster is memberships by group, with a number for each member.
type roster struct {
	groups  []listed
	members []item[memberHandle, struct{}]
	sizes   []int // in how many groups a member is, at most
}

type listed struct {
	id      identity.GroupID
	members []int32
}

// read takes memberships; what is taken away is of no interest. Groups are sorted by ID.
func (r *roster) read(memberships []Membership) {
	groups, members := map[identity.GroupID]int{}, numbers{}
	at := -1
	for i := range memberships {
		m := &memberships[i]
		if m.Removed {
			continue
		}
		if at < 0 || m.Group != r.groups[at].id { // mostly they come group by group
			var known bool
			if at, known = groups[m.Group]; !known {
				at = len(r.groups)
				groups[m.Group] = at
				r.groups = append(r.groups, listed{id: m.Group})
			}
		}
		n, known := members.of(m.Member)
		if !known {
			handle := unique.Make(m.Member)
			r.members = append(r.members, item[memberHandle, struct{}]{key: handle, hash: hashOf(handle)})
			r.sizes = append(r.sizes, 0)
		}
		r.sizes[n]++
		r.groups[at].members = append(r.groups[at].members, n)
	}
	slices.SortFunc(r.groups, func(a, b listed) int { return compareGroups(a.id, b.id) })
}

// numbers counts members through. They are many, and their tenants few: an object ID alone is quicker to find.
type numbers map[tenantKind]map[string]int32

type tenantKind struct {
	tenant identity.TenantID
	group  bool
}

func (all numbers) of(m Member) (n int32, known bool) {
	kind, object := tenantKind{m.User.Tenant, false}, m.User.Object
	if m.User.IsZero() {
		kind, object = tenantKind{m.Group.Tenant, true}, m.Group.Object
	}
	of := all[kind]
	if of == nil {
		of = map[string]int32{}
		all[kind] = of
	}
	if n, known = of[object]; !known {
		n = 0
		for _, others := range all {
			n += int32(len(others))
		}
		of[object] = n
	}
	return n, known
}
