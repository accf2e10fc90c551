package access

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
)

// What what-if names beforehand is what then closes, with the same reasons, and what is gained and lost is what
// everybody's roles then say.
func TestWhatIfNamesWhatThenCloses(t *testing.T) {
	closings, rights := 0, 0
	for seed := range uint64(6) {
		w := newWorld(t)
		rng := rand.New(rand.NewPCG(seed, 30))
		c := &chaos{w: w, rng: rng}
		texts := []string{payments, "project: payments\nroles:\n  viewer: [\"00000000-0000-4000-9000-000000000002\"]\n", "project: orders\n"}
		for range 60 {
			for range 6 {
				r := c.question()
				if rng.IntN(4) == 0 { // a protocol's own rule
					r.Stands = func(f *Facts, d *Decision) string {
						if d.Role == policy.Viewer {
							return "viewers may not"
						}
						return ""
					}
				}
				if _, _, err := w.engine.Open(t.Context(), r, nil); err != nil {
					continue // what is refused is not open
				}
			}
			var change func(Facts) (Facts, Touched)
			switch kind := rng.IntN(5); kind {
			case 0: // a person or a group joins or leaves a group
				m := directory.Member{User: c.user()}
				if rng.IntN(3) == 0 {
					m = directory.Member{Group: apiTeam}
				}
				group := []identity.GroupID{engineers, viewers}[rng.IntN(2)]
				change = changing(membership(group, m, rng.IntN(2) == 0))
			case 1, 2: // an account is disabled, or enabled again
				change = changing(directory.Change{Users: []directory.User{{ID: c.user(), Name: "somebody", Enabled: kind == 1}}})
			case 3:
				set := w.projects(texts[rng.IntN(len(texts))])
				change = func(f Facts) (Facts, Touched) { f.Projects = set; return f, Touched{All: true} }
			default:
				text := mixed[rng.IntN(len(mixed))]
				set, err := policy.Parse(policy.Source{Tenant: tenant, Files: []policy.File{{Name: "a.cedar", Text: text}}})
				if err != nil {
					t.Fatal(err)
				}
				change = func(f Facts) (Facts, Touched) { f.Policies = set; return f, Touched{All: true} }
			}
			foretold := w.engine.WhatIf(change)
			want := map[identity.LeaseID]string{}
			for _, x := range foretold.Closing {
				want[x.Lease.ID] = x.Reason.Text
			}
			before := *w.engine.Facts()
			known := map[identity.LeaseID]bool{}
			for _, e := range w.engine.Ended() {
				known[e.ID] = true
			}
			_, touched := change(before)
			w.engine.Publish(func(f Facts) Facts { f, _ = change(f); return f }, touched)
			closed := map[identity.LeaseID]string{}
			for _, e := range w.engine.Ended() {
				if !known[e.ID] {
					closed[e.ID] = e.Reason.Text
				}
			}
			if !maps.Equal(want, closed) {
				t.Fatalf("seed %d: foretold %v\nclosed %v", seed, want, closed)
			}
			gained, lost := roles(t, &before, w.engine.Facts())
			if !slices.Equal(gained, foretold.Gained) || !slices.Equal(lost, foretold.Lost) {
				t.Fatalf("seed %d: foretold %v and %v, and it became %v and %v", seed, foretold.Gained, foretold.Lost, gained, lost)
			}
			closings += len(closed)
			rights += len(gained) + len(lost)
		}
		for l := range w.engine.Leases {
			l.End()
		}
	}
	if closings < 50 || rights < 50 {
		t.Errorf("%d leases closed, %d rights changed: this tests little", closings, rights)
	}
}

func changing(c directory.Change) func(Facts) (Facts, Touched) {
	return func(f Facts) (Facts, Touched) {
		next, touched := f.Directory.With(c)
		f.Directory = next
		return f, Touched{All: touched.All, Users: touched.Users}
	}
}

// roles compares what everybody holds, by asking for each role of each project.
func roles(t *testing.T, before, after *Facts) (gained, lost []Right) {
	t.Helper()
	holds := func(f *Facts, r Right) bool {
		u, ok := f.Directory.User(r.User)
		role, _ := f.RoleIn(r.User, r.Project)
		return ok && u.Enabled && policy.Role(role).Includes(r.Role)
	}
	projects := map[identity.ProjectID]bool{}
	for _, f := range []*Facts{before, after} {
		for _, p := range f.Projects.All() {
			projects[p.ID] = true
		}
	}
	for _, u := range everybody {
		for p := range projects {
			for _, role := range policy.ProjectRoles() {
				r := Right{u, p, role}
				was, is := holds(before, r), holds(after, r)
				switch {
				case was && !is:
					lost = append(lost, r)
				case is && !was:
					gained = append(gained, r)
				}
			}
		}
	}
	slices.SortFunc(gained, compareRights)
	slices.SortFunc(lost, compareRights)
	return gained, lost
}
