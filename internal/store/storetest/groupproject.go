package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/project"
)

// groupProjectsRoundTrip stores what becomes of projects that are made of groups.
func groupProjectsRoundTrip(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	shop := project.GroupProject{ID: "p-shop", Name: "shop", Groups: map[project.Role]identity.GroupID{project.Developer: groupID(1)}}
	save := func(changes ...project.GroupChange) error {
		t.Helper()
		_, err := s.SaveGroupProjects(ctx, changes, entry(feed.Projects))
		return err
	}
	is := func(want ...project.GroupProject) {
		t.Helper()
		got, err := s.LoadGroupProjects(ctx)
		if err != nil || len(got) != len(want) || len(want) > 0 && cmp.Diff(want, got) != "" {
			t.Errorf("%v, %v", got, err)
		}
	}
	is()
	if err := save(project.GroupChange{Project: shop, What: project.Made}); err != nil {
		t.Fatal(err)
	}
	is(shop)
	shop.Groups[project.Maintainer] = groupID(2)
	shop.Closed, shop.Why = now(), "its group is gone"
	if err := save(project.GroupChange{Project: shop, What: project.Closed}); err != nil {
		t.Fatal(err)
	}
	is(shop)
	other := project.GroupProject{ID: "p-other", Name: "shop", Groups: map[project.Role]identity.GroupID{project.Viewer: groupID(3)}}
	if err := save(project.GroupChange{Project: other, What: project.Made}); err == nil {
		t.Error("two projects have one name")
	}
	is(shop)
	if err := save(project.GroupChange{Project: other, What: project.Made}, project.GroupChange{Project: shop, What: project.Forgotten}); err != nil {
		t.Error(err)
	}
	is(other)
}
