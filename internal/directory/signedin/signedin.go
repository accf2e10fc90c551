// Package signedin is the directory as people's own sign-ins tell it, for a tenant that Lanyard may not read: who has
// signed in, the groups and app roles of their token, and the same again at every sweep. Groups have no names here, so
// nothing but their object IDs can be meant. Who has not signed in is not in it.
package signedin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// Sighting is what the tenant says of a person in an ID token.
type Sighting struct {
	User                 identity.UserID
	Name, UserName, Mail string
	Groups               []string // object IDs, direct and nested ones
	Roles                []string // values of app roles
	// More says that there are too many groups for a token, so Groups is empty: Graph has to be asked for them, with the
	// person's own token that Token gives.
	More  bool
	Token func(context.Context) (string, error)
}

// ErrEnded says that there is nothing to read again: the tenant, or somebody here, has ended the sign-in.
var ErrEnded = errors.New("the sign-in has ended")

// Config is what a Source needs.
type Config struct {
	Tenant identity.TenantID
	// Names says that the tenant names groups as it likes, and that a name is all there is of one. Otherwise a group is
	// its object ID.
	Names     bool
	Directory *directory.Directory
	// SignIns are the sign-ins that live, one of each person.
	SignIns func() map[identity.UserID]identity.SignInID
	// Again reads what the tenant says of a sign-in's person now; ErrEnded when that is over.
	Again func(context.Context, identity.SignInID) (Sighting, error)
	// Groups asks Graph with a person's own token for all security groups that they are in.
	Groups func(ctx context.Context, token string) ([]identity.GroupID, error)
	Sweep  time.Duration // how often everybody is read again
	// Trust is how long what was read of a person counts while it cannot be read again.
	Trust time.Duration
	Log   *slog.Logger
	Now   func() time.Time // nil: time.Now
}

// Source keeps the directory.
type Source struct {
	c     Config
	ready chan struct{}
	first sync.Once

	applying sync.Mutex // what is here and what a token says are compared and changed by one at a time
	failing  map[identity.UserID]time.Time
}

// New makes a source that has read nothing.
func New(c Config) *Source {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Source{c: c, ready: make(chan struct{}), failing: map[identity.UserID]time.Time{}}
}

// Ready is closed when everybody who is signed in was read again for the first time.
func (s *Source) Ready() <-chan struct{} { return s.ready }

// Seen takes over what the token of a new sign-in says. When it returns nil, that is in force.
func (s *Source) Seen(ctx context.Context, seen Sighting) error {
	return s.take(ctx, seen, "a sign-in")
}

var guid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// roleValue is what Entra lets the value of an app role be.
var roleValue = regexp.MustCompile(`^[!-\[\]-~]{1,120}$`)

// groupName says whether a group may be called so: never like an app role, which nobody is in by being in a group.
func groupName(s string) bool {
	_, role := identity.GroupID{Object: s}.AppRole()
	return !role && s != "" && len(s) <= 256 && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// mostGroups bounds what is believed of one token: Graph itself refuses to list more than some 11,000.
const mostGroups = 20_000

// groups are those of a sighting. What is no object ID is no group: a token may be set up to carry names, and a name
// must not be taken for anything.
func (s *Source) groups(ctx context.Context, seen Sighting) (map[identity.GroupID]directory.Group, error) {
	all := map[identity.GroupID]directory.Group{}
	add := func(object string) {
		if lower := strings.ToLower(object); guid.MatchString(lower) {
			object = lower
		} else if !s.c.Names || !groupName(object) {
			return
		}
		g := identity.GroupID{Tenant: s.c.Tenant, Object: object}
		row := directory.Group{ID: g, Security: true}
		if s.c.Names {
			row.Name = object
		}
		all[g] = row
	}
	for _, object := range seen.Groups {
		add(object)
	}
	if seen.More {
		token, err := seen.Token(ctx)
		if err != nil {
			return nil, fmt.Errorf("get a person's token for Graph: %w", err)
		}
		found, err := s.c.Groups(ctx, token)
		if err != nil {
			return nil, err
		}
		for _, g := range found {
			add(g.Object)
		}
	}
	for _, value := range seen.Roles {
		if roleValue.MatchString(value) {
			g := identity.AppRole(s.c.Tenant, value)
			all[g] = directory.Group{ID: g, Name: "app role " + value, Security: true, Assigned: true}
		}
	}
	if len(all) > mostGroups {
		return nil, fmt.Errorf("the tenant says that one person is in %d groups", len(all))
	}
	return all, nil
}

// take makes the directory say of a person what a token says, and nothing else.
func (s *Source) take(ctx context.Context, seen Sighting, reason string) error {
	if seen.User.Tenant != s.c.Tenant {
		return fmt.Errorf("the sign-in of %s is of another tenant", seen.User)
	}
	groups, err := s.groups(ctx, seen)
	if err != nil {
		return err
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	delete(s.failing, seen.User)
	old := s.c.Directory.Snapshot()
	c := directory.Change{Users: []directory.User{{ID: seen.User, Name: seen.Name, UserName: seen.UserName, Mail: seen.Mail, Enabled: true}}}
	if old.AsOf().IsZero() { // a directory without an age says nothing
		c.AsOf = s.c.Now()
	}
	member := directory.Member{User: seen.User}
	for _, g := range old.DirectlyIn(member) {
		if _, still := groups[g]; still {
			continue
		}
		c.Members = append(c.Members, directory.Membership{Group: g, Member: member, Removed: true})
	}
	for id, g := range groups {
		if _, known := old.Group(id); !known {
			c.Groups = append(c.Groups, g)
		}
		c.Members = append(c.Members, directory.Membership{Group: id, Member: member})
	}
	return s.c.Directory.Apply(ctx, c, reason)
}

// leave takes all groups of a person away, whose sign-ins could not be read again for too long.
func (s *Source) leave(ctx context.Context, u identity.UserID) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	var c directory.Change
	member := directory.Member{User: u}
	for _, g := range s.c.Directory.Snapshot().DirectlyIn(member) {
		c.Members = append(c.Members, directory.Membership{Group: g, Member: member, Removed: true})
	}
	if len(c.Members) == 0 {
		return nil
	}
	return s.c.Directory.Apply(ctx, c, "a sign-in could not be read again for "+s.c.Trust.String())
}
