package entra

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// sweepAssigned reads which groups are assigned to our enterprise application and applies what changed in that.
// Nothing rings for it. reading is held.
func (s *Source) sweepAssigned(ctx context.Context) error {
	assigned, err := s.readAssigned(ctx)
	if err != nil {
		return err
	}
	s.assigned = assigned
	g := newGathering(s.tenant, s.directory.Snapshot(), assigned, s.hidden)
	g.assign()
	c := g.change()
	if len(c.Groups) == 0 {
		return nil
	}
	s.learned(time.Now())
	return s.apply(ctx, c, reasonAssigned, applyWait)
}

// readAssigned lists the groups assigned to the enterprise application of our app registration, whatever the app
// role. Where we may not read that, or there is no such application, it stays as it was: with none assigned, if it
// never was read, so that no group can be meant by its name. reading is held.
func (s *Source) readAssigned(ctx context.Context) (map[string]bool, error) {
	assigned := map[string]bool{}
	link := s.graph.url("/servicePrincipals(appId='" + url.PathEscape(s.clientID) + "')/appRoleAssignedTo")
	for link != "" {
		var page assignmentPage
		_, err := s.graph.get(ctx, link, &page)
		switch status := statusOf(err); {
		case status == http.StatusForbidden || status == http.StatusNotFound:
			if !s.blind {
				s.blind = true
				s.log.Warn("which groups are assigned to Lanyard's enterprise application cannot be read; it stays as it was", "error", err)
			}
			return s.wasAssigned(), nil
		case err != nil:
			return nil, fmt.Errorf("read the groups assigned to Lanyard: %w", err)
		}
		for _, a := range page.Value {
			if a.PrincipalType == "Group" {
				assigned[strings.ToLower(a.PrincipalID)] = true
			}
		}
		link = page.NextLink
	}
	s.blind = false
	return assigned, nil
}

func (s *Source) wasAssigned() map[string]bool {
	if s.assigned != nil {
		return s.assigned
	}
	assigned := map[string]bool{}
	for g := range s.directory.Snapshot().AllGroups() {
		if g.Assigned && g.ID.Tenant == s.tenant {
			assigned[g.ID.Object] = true
		}
	}
	return assigned
}
