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

// signInsFrom is the property that Graph gives to who names it only, and perhaps not in a delta.
const signInsFrom = "signInSessionsValidFromDateTime"

// selected is what is read of a kind. It is asked for once: what is selected then is part of every later link.
func (k kind) selected(signIns bool) string {
	switch {
	case k == groups:
		return "id,displayName,securityEnabled,groupTypes,createdDateTime,members"
	case signIns:
		return "id,displayName,userPrincipalName,mail,accountEnabled,createdDateTime," + signInsFrom
	}
	return "id,displayName,userPrincipalName,mail,accountEnabled,createdDateTime"
}

// first is the path at which the delta begins.
func (k kind) first(selected string) string { return k.path() + "?$select=" + selected }

func (k kind) path() string { return "/" + k.String() + "/delta" }

// kinds is a set of kinds.
type kinds uint8

const all = kinds(1<<groups | 1<<users)

func (k kind) only() kinds      { return 1 << k }
func (s kinds) has(k kind) bool { return s&k.only() != 0 }
