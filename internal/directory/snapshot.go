// Package directory holds users, groups and memberships as the tenant says they are now: rows, an immutable
// snapshot, and the writer that stores changes and publishes them.
package directory

import (
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Snapshot is the directory at one moment. It never changes and is safe for concurrent use.
//
// A membership counts only through groups that are in the directory: what a source says about a group that it
// has not named, or that is gone, gives nothing.
type Snapshot struct {
	users   trie[identity.UserID, *person]
	groups  trie[identity.GroupID, *Group]
	members trie[identity.GroupID, memberSet] // what a group contains directly
	parents trie[memberHandle, []groupHandle] // what a user or group is in directly, sorted; the inverse of members
	blocked trie[identity.UserID, struct{}]   // whom another source has disabled; they need not be in users
	asOf    time.Time
}

// person is a user's record, with the groups that were found for it. Snapshots share it until a change alters the
// record or may alter the groups, nested ones too; then they have a new one.
type person struct {
	User
	closure atomic.Pointer[Closure]
}

type memberSet = trie[memberHandle, struct{}]

// Empty is the directory without anybody.
func Empty() *Snapshot { return &Snapshot{} }

// User finds a user by ID. The record stays the same, pointer and all, while neither it nor the user's groups change:
// who has derived something from both may keep it as long as the pointer is the same.
func (s *Snapshot) User(id identity.UserID) (*User, bool) {
	p, ok := s.users.get(id)
	if !ok {
		return nil, false
	}
	return &p.User, true
}

// Group finds a group by ID.
func (s *Snapshot) Group(id identity.GroupID) (*Group, bool) { return s.groups.get(id) }

// Users yields all users, in no particular order.
func (s *Snapshot) Users() iter.Seq[*User] {
	return func(yield func(*User) bool) {
		for _, p := range s.users.all() {
			if !yield(&p.User) {
				return
			}
		}
	}
}

// AllGroups yields all groups, in no particular order.
func (s *Snapshot) AllGroups() iter.Seq[*Group] { return values(s.groups) }

// Members yields what a group contains directly, in no particular order; some may not be in the directory.
func (s *Snapshot) Members(g identity.GroupID) iter.Seq[Member] {
	set, _ := s.members.get(g)
	return func(yield func(Member) bool) {
		for m := range set.all() {
			if !yield(m.Value()) {
				return
			}
		}
	}
}

// Blocked yields whom another source than that of the records has disabled, whether they are in the directory or not.
func (s *Snapshot) Blocked() iter.Seq[identity.UserID] {
	return func(yield func(identity.UserID) bool) {
		for u := range s.blocked.all() {
			if !yield(u) {
				return
			}
		}
	}
}

// Counts says how many users and groups there are.
func (s *Snapshot) Counts() (users, groups int) { return s.users.size, s.groups.size }

// AsOf is when the source last said that this is how it is; zero when it never did.
func (s *Snapshot) AsOf() time.Time { return s.asOf }

// FindUser finds the one user that a person at a command line means: by object ID, "u-" and object ID, user
// name, or the part of user name or mail before the "@". It is for asking about somebody, never for deciding.
func (s *Snapshot) FindUser(name string) (*User, bool) {
	var byName, byNickname []*User
	for u := range s.Users() {
		nickname, _, _ := strings.Cut(u.UserName, "@")
		mailbox, _, _ := strings.Cut(u.Mail, "@")
		switch {
		case u.ID.Object == name || u.ID.String() == name:
			return u, true
		case strings.EqualFold(u.UserName, name):
			byName = append(byName, u)
		case name != "" && (strings.EqualFold(nickname, name) || strings.EqualFold(mailbox, name)):
			byNickname = append(byNickname, u)
		}
	}
	for _, found := range [][]*User{byName, byNickname} {
		if len(found) == 1 {
			return found[0], true
		}
		if len(found) > 1 {
			return nil, false // ambiguous
		}
	}
	return nil, false
}

// AssignedGroups finds the groups that a configuration may mean by a display name: security groups that are
// assigned to Lanyard's enterprise application. More than one makes the name ambiguous. Sorted by ID.
func (s *Snapshot) AssignedGroups(name string) []Group {
	var found []Group
	for g := range s.AllGroups() {
		if g.Assigned && g.Security && g.Name == name {
			found = append(found, *g)
		}
	}
	slices.SortFunc(found, func(a, b Group) int { return compareGroups(a.ID, b.ID) })
	return found
}

func values[K comparable, V any](t trie[K, V]) iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, v := range t.all() {
			if !yield(v) {
				return
			}
		}
	}
}

func compareGroups(a, b identity.GroupID) int {
	if c := strings.Compare(a.Object, b.Object); c != 0 {
		return c
	}
	return strings.Compare(string(a.Tenant), string(b.Tenant))
}
