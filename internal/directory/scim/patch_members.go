package scim

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
