package provisioning

import (
	"slices"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// view is an extract with what follows from it for a scope.
type view struct {
	entrasim.Extract
	scope            Scope
	assigned         map[string][]string // principal → app role IDs
	assignedGroupsOf map[string][]string // user → assigned groups that have it as an immediate member
}

func (s *Service) view(settings Settings) (*view, error) {
	e, err := s.source.Extract(s.app)
	if err != nil {
		return nil, err
	}
	v := &view{Extract: e, scope: settings.Scope, assigned: map[string][]string{}, assignedGroupsOf: map[string][]string{}}
	for _, a := range e.Assignments {
		v.assigned[a.PrincipalID] = append(v.assigned[a.PrincipalID], a.AppRoleID)
	}
	for id := range v.assigned {
		for _, member := range e.Groups[id].Members {
			if _, user := e.Users[member]; user {
				v.assignedGroupsOf[member] = append(v.assignedGroupsOf[member], id)
			}
		}
	}
	for _, groups := range v.assignedGroupsOf {
		slices.Sort(groups)
	}
	return v, nil
}

// userInScope reports whether a user who is in the tenant belongs to the scope.
func (v *view) userInScope(id string) bool {
	return v.scope == All || len(v.assigned[id]) > 0 || len(v.assignedGroupsOf[id]) > 0
}

func (v *view) groupInScope(id string) bool {
	return v.scope == All || len(v.assigned[id]) > 0
}
