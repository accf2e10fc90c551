package scim

import "slices"

// maxMemberTerms bounds the comparisons that one PATCH asks of each member of a group, which may be large.
const maxMemberTerms = 50

// members notes what is to be changed in who is in a group; it does not know who is.
func (p *patching) members(op operation, path Path) error {
	if path.sub != nil && (path.of != nil || path.sub.Name != "value") {
		return bad(Mutability, "What a group says of a member cannot be changed. Add or remove the member.")
	}
	if path.of != nil {
		return p.pickedMembers(op, path)
	}
	if op.op == "remove" && op.value == nil || op.op == "replace" {
		p.changes = append(p.changes, MemberChange{Op: RemoveAll})
	}
	do := AddMember
	if op.op == "remove" {
		do = RemoveMember
	}
	return p.eachMember(do, op.value)
}

func (p *patching) eachMember(do MemberOp, value any) error {
	members, err := membersOf(value)
	if err != nil {
		return err
	}
	for _, m := range members {
		p.changes = append(p.changes, MemberChange{Op: do, Member: m})
	}
	return nil
}

// pickedMembers does an operation on members[filter].
func (p *patching) pickedMembers(op operation, path Path) error {
	ids, named := memberIDs(path.of)
	switch {
	case op.op == "remove" && !named:
		if p.memberTerms += path.terms; p.memberTerms > maxMemberTerms {
			return tooLarge("The operations compare each member more than %d times. Name members by their id.", maxMemberTerms)
		}
		p.changes = append(p.changes, MemberChange{Op: RemoveMatching, Where: Filter{path.of}})
		return nil
	case !named:
		return bad(NoTarget, `Members are added by their id, as in members[value eq "…"].`)
	case op.op == "add":
		value := make([]any, len(ids))
		for i, id := range ids {
			value[i] = id
		}
		return p.eachMember(AddMember, value)
	}
	for _, id := range ids {
		p.changes = append(p.changes, MemberChange{Op: RemoveMember, Member: Member{Value: id}})
	}
	if op.op == "remove" {
		return nil
	}
	return p.eachMember(AddMember, op.value)
}

// memberIDs are the members that a filter names: value eq "a" or value eq "b".
func memberIDs(n node) (ids []string, named bool) {
	switch n := n.(type) {
	case compare:
		id, ok := n.value.(string)
		if ok = ok && n.op == "eq" && n.attr != nil && n.attr.Name == "value"; ok {
			ids = []string{id}
		}
		return ids, ok
	case anyOf:
		for _, part := range n {
			more, named := memberIDs(part)
			if !named {
				return nil, false
			}
			ids = append(ids, more...)
		}
		return ids, true
	}
	return nil, false
}

// settled are changes that end in the same with as few of them as can be: of several words about a member the last counts,
// what comes before RemoveAll does not count, and between two RemoveMatching those who go stand before those who come.
func settled(changes []MemberChange) []MemberChange {
	var backward, added, removed []MemberChange // from the last to the first
	flush := func() {
		backward = append(append(backward, added...), removed...)
		added, removed = nil, nil
	}
	seen := map[string]bool{}
	for _, c := range slices.Backward(changes) {
		if c.Op == RemoveAll || c.Op == RemoveMatching {
			flush()
			backward = append(backward, c)
			if c.Op == RemoveAll {
				break
			}
			continue
		}
		if seen[c.Member.Value] {
			continue
		}
		seen[c.Member.Value] = true
		if c.Op == AddMember {
			added = append(added, c)
		} else {
			removed = append(removed, c)
		}
	}
	flush()
	slices.Reverse(backward)
	return backward
}
