package server

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
)

const sampleTenant identity.TenantID = "8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01"

type noLog struct{}

func (noLog) Durable(context.Context, ...audit.Event) error { return nil }
func (noLog) Later(audit.Event)                             {}

// A project file that takes a role away and a directory in which a group was renamed come at the same moment. In
// whichever order they are put in force, both are: neither brings back what the other took.
func TestProjectsAndDirectoryTogether(t *testing.T) {
	user := identity.UserID{Tenant: sampleTenant, Object: "00000000-0000-4000-8000-000000000001"}
	var all, renamed []directory.Group
	for i := range 20 { // enough names that looking them up takes a moment
		g := directory.Group{ID: identity.GroupID{Tenant: sampleTenant, Object: fmt.Sprintf("00000000-0000-4000-9000-%012d", i)}, Name: fmt.Sprintf("team-%d", i), Security: true, Assigned: true}
		all = append(all, g)
		g.Name += "-renamed"
		renamed = append(renamed, g)
	}
	before, _ := directory.Empty().With(directory.Change{Reset: directory.Everything, AsOf: time.Now(), Users: []directory.User{{ID: user, Enabled: true}}, Groups: all,
		Members: []directory.Membership{{Group: all[0].ID, Member: directory.Member{User: user}}}})
	after, _ := before.With(directory.Change{Groups: renamed})
	parse := func(number int64, text string, of *directory.Snapshot, pins []project.Pin) project.Result {
		result, err := project.Parse(project.Input{Tenant: sampleTenant, Groups: groups{of}, Pinning: true, Pins: pins,
			Revision: project.Revision{Number: number, Projects: map[string]string{"payments.yaml": text}},
			Names:    []project.Name{{Name: "payments", ID: "p-aaaaaaaaaaaaaaaa"}}})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	names := "team-0"
	for i := 1; i < len(all); i++ {
		names += fmt.Sprintf(", team-%d", i)
	}
	first := parse(1, "project: payments\nroles:\n  developer: ["+names+"]\n  viewer: ["+all[0].ID.Object+"]\n", before, nil)
	second := parse(2, "project: payments\nroles:\n  developer: ["+names+"]\n", before, first.Pins)
	policies, err := policy.Parse(policy.Source{Tenant: sampleTenant})
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		s := &Server{left: &departures{wake: make(chan struct{}, 1), users: map[identity.UserID]struct{}{}}}
		s.engine = access.New(access.Config{Audit: noLog{}, Log: slog.New(slog.DiscardHandler), Facts: access.Facts{
			Directory: before, Projects: first.Set, Policies: policies, Sessions: session.NewSet(nil, nil)}})
		s.sessions = session.NewManager(session.Config{Publish: func(*session.Set, []identity.UserID, feed.Seq) {}})
		s.projects = newConfiguration(s)
		var both sync.WaitGroup
		both.Go(func() { s.publishDirectory(after, directory.Touched{Users: []identity.UserID{user}}, 1) })
		both.Go(func() { s.projects.publish(second.Set, nil, 2) })
		both.Wait()
		f := s.engine.Facts()
		if f.Projects.Revision() != 2 {
			t.Fatal("the directory brought the project file of before back")
		}
		if role, _ := f.RoleIn(user, "p-aaaaaaaaaaaaaaaa"); role != "" {
			t.Fatalf("the role %s is given by a name that no group bears any more", role)
		}
	}
}
