package entra

import "strings"

// kind is what Graph has a delta and a subscription for.
type kind uint8

const (
	groups kind = iota
	users
)

// everyKind is in the order in which deltas are read: groups first, so that who a group names is known when the
// users were read.
var everyKind = [...]kind{groups, users}

func (k kind) String() string {
	if k == users {
		return "users"
	}
	return "groups"
}

func kindOf(resource string) kind {
	if strings.EqualFold(strings.Trim(resource, "/"), users.String()) {
		return users
	}
	return groups
}

// first is where the delta begins: what is selected now is part of every later link.
func (k kind) first() string {
	if k == users {
		return "/users/delta?$select=id,displayName,userPrincipalName,mail,accountEnabled"
	}
	return "/groups/delta?$select=id,displayName,securityEnabled,members"
}

// kinds is a set of kinds.
type kinds uint8

const all = kinds(1<<groups | 1<<users)

func (k kind) only() kinds      { return 1 << k }
func (s kinds) has(k kind) bool { return s&k.only() != 0 }
