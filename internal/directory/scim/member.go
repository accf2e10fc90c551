package scim

import "strings"

// Member is one entry of a group's members.
type Member struct {
	Value string // the member's id
	Type  Kind   // User or Group, where it was said; "" otherwise
}

// MemberOp is what a MemberChange does.
type MemberOp int

// The changes of a membership. They are to be made in the order they come in.
const (
	AddMember      MemberOp = iota + 1 // is there already: nothing happens
	RemoveMember                       // is not there: nothing happens
	RemoveAll                          // empties the group
	RemoveMatching                     // those for which Where.MatchMember is true
)

// MemberChange is one change of who is in a group.
type MemberChange struct {
	Op     MemberOp
	Member Member // of AddMember and RemoveMember
	Where  Filter // of RemoveMatching
}

// membersOf reads a value of members: objects with a value, or the values themselves; one or several.
func membersOf(v any) ([]Member, error) {
	list, ok := v.([]any)
	if !ok && v != nil {
		list = []any{v}
	}
	members := make([]Member, 0, len(list))
	for _, one := range list {
		m, err := memberOf(one)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}

func memberOf(v any) (Member, error) {
	if id, ok := v.(string); ok {
		v = object{{"value", id}}
	}
	o, _ := v.(object)
	id, _ := o.get("value")
	value, ok := id.(string)
	if !ok || value == "" {
		return Member{}, bad(InvalidValue, `A member is an object with the member's id: {"value": "…"}.`)
	}
	m := Member{Value: value}
	kind, _ := o.get("type")
	ref, _ := o.get("$ref")
	named, _ := kind.(string)
	address, _ := ref.(string)
	for _, k := range []Kind{User, Group} {
		if strings.EqualFold(named, string(k)) || named == "" && strings.Contains(address, k.Endpoint()+"/") {
			m.Type = k
		}
	}
	return m, nil
}
