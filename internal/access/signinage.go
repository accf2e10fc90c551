package access

import (
	"fmt"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// tooOld says that a sign-in is older than the resource's project takes (`sign_in_age`); empty where it is not. What only
// shows things, asks for them or ends them needs no fresh sign-in: somebody who left long ago still has things to stop.
func (s signedIn) tooOld(v *view, r Request) string {
	if s.signIn == nil || r.Resource.Project == "" {
		return ""
	}
	most := v.f.Projects.SignInAge(r.Resource.Project)
	if most == 0 {
		return ""
	}
	switch r.Action {
	case identity.ProjectView, identity.WorkspaceList, identity.WorkspaceStop, identity.GrantList, identity.GrantRequest, identity.GrantRevoke:
		return ""
	}
	ends := s.signIn.At.Add(most)
	if v.now.Before(ends) {
		v.ends(ends)
		return ""
	}
	return fmt.Sprintf("project %s takes a sign-in of the last %s, and this one is from %s ago",
		projectName(v.f, r.Resource.Project), problem.Length(most), problem.Length(v.now.Sub(s.signIn.At).Round(time.Minute)))
}
