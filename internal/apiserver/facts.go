package apiserver

import (
	"fmt"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// facts are what a decision about a user was made from, a sentence each.
func facts(f *access.Facts, u identity.UserID, x access.Explanation) []string {
	list := []string{}
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	user, ok := f.Directory.User(u)
	switch {
	case !ok:
		say("the directory has no user %s", u)
	case user.Active():
		say("%s (%s) is enabled in the directory", user.Name, user.UserName)
	default:
		say("%s (%s) is disabled in the directory", user.Name, user.UserName)
	}
	if x.Project != "" {
		path := pathTo(f, u, x.Decision.Via)
		value, isRole := x.Decision.Via.AppRole()
		switch {
		case x.Role == "":
			say("no group that they are in has a role in project %s", x.Project)
		case len(path) > 1 && isRole:
			say("they hold the app role %s, which is assigned to the group %s, and are in that directly", value, path[1])
		case isRole && len(path) == 1:
			say("they hold the app role %s, which is assigned to them", value)
		case len(path) > 1:
			say("the group %s contains %s, which they are in", path[0], strings.Join(path[1:], ", which contains "))
		case len(path) == 1:
			say("they are in the group %s", path[0])
		}
		if x.Role != "" && x.Via == "" {
			say("a break-glass grant gives them the role %s in project %s", x.Role, x.Project)
		} else if x.Role != "" && isRole {
			say("the app role %s has the role %s in project %s", value, x.Role, x.Project)
		} else if x.Role != "" {
			say("the group %s (%s) has the role %s in project %s", x.Via, x.Decision.Via, x.Role, x.Project)
		}
	}
	for _, policy := range x.Policies {
		say("the policy %s decided", policy)
	}
	if g := x.Grant; g != nil {
		say("the grant %s (%s) holds until %s", g.ID, g.Kind, g.Until.UTC().Format(time.RFC3339))
	}
	if asOf := f.Directory.AsOf(); !asOf.IsZero() {
		say("the directory was read at %s", asOf.UTC().Format(time.RFC3339))
	}
	return list
}
