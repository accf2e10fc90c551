package access

import (
	"fmt"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// serving is what holds for a service whatever policies permit: it acts for one repository of one project, for as long as the
// project's file says so. It reads that repository and no other, and does nothing but read, get packages and connect out.
func serving(f *Facts, r Request) Decision {
	p := r.Principal
	if p.Repository == "" { // a part of Lanyard that acts for none
		if r.Resource.Kind == identity.KindRepo {
			return deny(NotPermitted, "a service reads the repository that it acts for, and this one acts for none")
		}
		return Decision{}
	}
	owner, repo, ok := f.Projects.ForRepository(p.Repository)
	if !ok || owner.ID != p.Project || repo.Prebuilds == nil || p.Service != identity.PrebuildService(owner.Name) {
		return deny(NotPermitted, "the project's file does not want prebuilds of this repository any more")
	}
	if r.Resource.Project != p.Project {
		return Decision{} // the ceiling says so
	}
	switch r.Action {
	case identity.RegistryRead, identity.EgressConnect:
		return Decision{}
	case identity.RepoRead:
		if r.Resource.Name == p.Repository {
			return Decision{}
		}
	}
	d := deny(NotPermitted, fmt.Sprintf("%s may read %s and nothing else", p.Service, p.Repository))
	d.Hidden = r.Resource.Kind == identity.KindRepo && r.Resource.Name != p.Repository
	return d
}
