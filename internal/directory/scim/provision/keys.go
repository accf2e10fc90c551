package provision

import "strings"

// KeysAtMost bounds the keys of a feed entry; with more, it says "all".
const KeysAtMost = 1000

// A feed entry's keys name what the directory has to look at again: object IDs of users and groups, and credentials.
const (
	userKey       = "user/"
	groupKey      = "group/"
	CredentialKey = "credentials"
)

// touched is what keys name. all is everything.
type touched struct {
	all           bool
	users, groups map[string]struct{}
	credentials   bool
}

func newTouched() touched {
	return touched{users: map[string]struct{}{}, groups: map[string]struct{}{}}
}

// add takes keys over; without any, it is everything.
func (t *touched) add(keys []string) {
	if len(keys) == 0 {
		t.all, t.credentials = true, true
	}
	for _, key := range keys {
		if object, ok := strings.CutPrefix(key, userKey); ok {
			t.users[object] = struct{}{}
		} else if object, ok := strings.CutPrefix(key, groupKey); ok {
			t.groups[object] = struct{}{}
		} else if key == CredentialKey {
			t.credentials = true
		}
	}
}

func (t *touched) merge(other touched) {
	t.all = t.all || other.all
	t.credentials = t.credentials || other.credentials
	for u := range other.users {
		t.users[u] = struct{}{}
	}
	for g := range other.groups {
		t.groups[g] = struct{}{}
	}
}

func (t *touched) nobody() bool { return !t.all && len(t.users)+len(t.groups) == 0 }
