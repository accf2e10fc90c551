package identity

import "strings"

// Delegable is the kind of resource that an action is on which a person may give to an AI agent; ok is false for what is
// for people alone: asking, approving, delegating, what is about themselves, and workspaces.
func Delegable(a Action) (on ResourceKind, ok bool) {
	switch kind, _, _ := strings.Cut(string(a), ":"); kind {
	case "repo":
		return KindRepo, true
	case "app":
		return KindApp, true
	case "registry":
		return KindRegistry, true
	case "egress":
		return KindEgress, true
	case "token":
		return KindAudience, true
	}
	return "", false
}
