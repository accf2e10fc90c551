package provision

import (
	"context"
	"slices"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

// shownAtOnce bounds the members in one answer that lists groups; a page ends before it holds more.
const shownAtOnce = 200_000

// withMembers gives a group's document its members.
func (s *Service) withMembers(doc scim.Resource, members []Member) {
	all := make([]any, 0, len(members))
	for _, m := range members {
		all = append(all, map[string]any{
			"value": m.ID, "type": string(m.Kind), "display": m.Display, "$ref": s.TenantURL() + "/" + string(m.Kind) + "s/" + m.ID,
		})
	}
	doc["members"] = all
}

// setMembers are the changes that make these the members.
func setMembers(members []scim.Member) []scim.MemberChange {
	all := []scim.MemberChange{{Op: scim.RemoveAll}}
	for _, m := range members {
		all = append(all, scim.MemberChange{Op: scim.AddMember, Member: m})
	}
	return all
}

// changeMembers carries changes out, in their order, and returns whom they touched. Who goes and comes back in one request
// was not touched.
func changeMembers(ctx context.Context, tx Tx, group string, changes []scim.MemberChange) (added, removed []string, err error) {
	net := map[string]int{}
	for len(changes) > 0 {
		n := 1
		for n < len(changes) && changes[n].Op == changes[0].Op {
			n++
		}
		come, gone, err := changeAlike(ctx, tx, group, changes[:n])
		if err != nil {
			return nil, nil, err
		}
		for _, id := range come {
			net[id]++
		}
		for _, id := range gone {
			net[id]--
		}
		changes = changes[n:]
	}
	for id, n := range net {
		switch {
		case n > 0:
			added = append(added, id)
		case n < 0:
			removed = append(removed, id)
		}
	}
	return added, removed, nil
}

// changeAlike carries changes of one kind out.
func changeAlike(ctx context.Context, tx Tx, group string, changes []scim.MemberChange) (added, removed []string, err error) {
	ids := make([]string, 0, len(changes))
	for _, c := range changes {
		ids = append(ids, c.Member.Value)
	}
	switch changes[0].Op {
	case scim.AddMember:
		if err := checkMembers(ctx, tx, group, ids); err != nil {
			return nil, nil, err
		}
		added, err = tx.AddMembers(ctx, group, ids)
	case scim.RemoveMember:
		removed, err = tx.RemoveMembers(ctx, group, ids)
	case scim.RemoveAll:
		if ids, err = tx.MemberIDs(ctx, group); err == nil {
			removed, err = tx.RemoveMembers(ctx, group, ids)
		}
	case scim.RemoveMatching:
		if ids, err = matching(ctx, tx, group, changes); err == nil {
			removed, err = tx.RemoveMembers(ctx, group, ids)
		}
	}
	return added, removed, err
}

// matching are the members for which one of the conditions is true.
func matching(ctx context.Context, tx Tx, group string, changes []scim.MemberChange) ([]string, error) {
	ids, err := tx.MemberIDs(ctx, group)
	if err != nil {
		return nil, err
	}
	known, err := tx.Known(ctx, ids)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(ids, func(id string) bool {
		return !slices.ContainsFunc(changes, func(c scim.MemberChange) bool {
			return c.Where.MatchMember(scim.Member{Value: id, Type: known[id].Kind})
		})
	}), nil
}

// checkMembers refuses members that are not there: their ID would mean somebody else, or nobody.
func checkMembers(ctx context.Context, tx Tx, group string, ids []string) error {
	known, err := tx.Known(ctx, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, ok := known[id]; !ok {
			return wrong("invalidValue", "There is no user and no group with the id %q.", shown(id))
		}
		if id == group {
			return wrong("invalidValue", "A group cannot be a member of itself.")
		}
	}
	return nil
}

// touchedMembers are the keys of members, with their names for the audit log.
func touchedMembers(ctx context.Context, tx Tx, ids []string) (keys, names []string, err error) {
	known, err := tx.Known(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		m, ok := known[id]
		switch {
		case !ok:
			names = append(names, id)
			continue
		case m.Object == "":
		case m.Kind == GroupKind:
			keys = append(keys, groupKey+m.Object)
		default:
			keys = append(keys, userKey+m.Object)
		}
		names = append(names, m.Name)
	}
	return keys, names, nil
}
