package workspace

import (
	"context"
	"fmt"
	"time"
)

// Builder is a Disk on which images are built as well.
type Builder interface {
	// Builds are those that are under way.
	Builds() []Build
}

// Build is the making of one image.
type Build interface {
	// Name is what is built, for logs.
	Name() string
	Began() time.Time
	// Use is what its steps have written so far and is still there.
	Use(ctx context.Context) (DiskUse, error)
	// End ends it and removes what it has made; whoever waits for it is told which step it was, and why.
	End(why string)
}

// noteBuilds notes what builds have written while things are calm. As with workspaces, measuring takes a part of the time at most.
func (r *relief) noteBuilds(ctx context.Context) {
	b, ok := r.disk.(Builder)
	if !ok {
		return
	}
	was := r.builds
	r.builds = map[Build]measured{}
	for _, one := range b.Builds() {
		m := was[one]
		if began := time.Now(); began.Sub(m.at) >= diskShare*m.took {
			if use, err := one.Use(ctx); err == nil {
				m = measured{use: use, at: began, took: time.Since(began)}
			}
		}
		r.builds[one] = m
	}
}

// builders are the builds under way, with what they had when things were calm.
func (r *relief) builders() (all []suspect) {
	b, ok := r.disk.(Builder)
	if !ok {
		return nil
	}
	for _, one := range b.Builds() {
		all = append(all, suspect{build: one, was: r.builds[one]})
	}
	return all
}

// endBuild ends one.
func (r *relief) endBuild(s suspect, room Room, what string) {
	why := fmt.Sprintf("the disk of this machine is nearly full (%s are free), and %s or more since it was last measured", sizeOf(room.Free), what)
	r.m.c.Log.Warn("a build is ended at once", "build", s.build.Name(), "why", why)
	s.build.End(why)
}
