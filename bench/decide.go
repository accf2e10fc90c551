package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"time"

	"github.com/lanyardhq/lanyard/bench/world"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
)

const (
	decideRounds = 9
	decideRound  = 300 * time.Millisecond
)

// benchDecide measures the CPU time of one decision on an app of a project, for the organisation of package world, from
// facts as the server holds them. decide.cached is the same question asked again in its session, decide.cached@changed
// after a change of the directory that touched somebody else. Beside both is the least that could answer: one look into
// a map of (user, project) that somebody has filled before. @first is a user's first decision after a change of the
// user's own groups, when their closure has to be found.
func benchDecide(ctx context.Context, b *bench) error {
	now := time.Now()
	w, err := world.New(world.Whole(), now)
	if err != nil {
		return err
	}
	roles := map[roleKey]policy.Role{}
	for _, r := range w.Allowed {
		roles[keyOf(r)] = policy.Developer
	}
	engine := access.New(access.Config{Facts: *w.Facts, Audit: nowhere{}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
	runtime.GC() // what making the facts has left is not the decisions'
	uncached := func(r access.Request) bool { return access.Decide(w.Facts, r, now).Effect == access.Allow }
	cached := func(r access.Request) bool { return engine.May(r) }
	var whole, again, bare, first, changed []float64
	for round := range decideRounds {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := each(&whole, w.Allowed, uncached); err != nil {
			return err
		}
		if err := each(&again, w.Allowed, cached); err != nil {
			return err
		}
		if err := each(&bare, w.Allowed, func(r access.Request) bool { return roles[keyOf(r)].Includes(policy.Developer) }); err != nil {
			return err
		}
		bystander := directory.Membership{Group: world.Group(0), Member: directory.Member{User: world.User(w.Size.Users - 1)}, Removed: round%2 == 0}
		next, touched := engine.Facts().Directory.With(directory.Change{Members: []directory.Membership{bystander}})
		engine.Publish(func(f access.Facts) access.Facts { f.Directory = next; return f }, access.Touched{Users: touched.Users})
		if err := once(&changed, w.Allowed, cached); err != nil {
			return err
		}
		var everybody directory.Change
		for _, r := range w.Allowed {
			everybody.Users = append(everybody.Users, directory.User{ID: r.Principal.User, Name: fmt.Sprintf("Person of round %d", round), Enabled: true})
		}
		renamed := *w.Facts
		renamed.Directory, _ = renamed.Directory.With(everybody)
		if err := once(&first, w.Allowed, func(r access.Request) bool { return access.Decide(&renamed, r, now).Effect == access.Allow }); err != nil {
			return err
		}
	}
	if b.profiles != "" {
		for name, ask := range map[string]func(access.Request) bool{"decide": uncached, "decide-cached": cached} {
			if _, err := profile(ctx, filepath.Join(b.profiles, name+".pprof")); err != nil {
				return err
			}
			var more []float64
			for range decideRounds {
				if err := each(&more, w.Allowed, ask); err != nil {
					return err
				}
			}
			if _, err := profile(ctx, ""); err != nil {
				return err
			}
		}
	}
	compare("decide.uncached", median(whole), "us", "map", median(bare))
	report("decide.uncached@first", median(first), "us")
	compare("decide.cached", median(again), "us", "map", median(bare))
	report("decide.cached@changed", median(changed), "us")
	return nil
}

// nowhere is an audit log that keeps nothing: nothing is opened.
type nowhere struct{}

func (nowhere) Durable(context.Context, ...audit.Event) error { return nil }
func (nowhere) Later(audit.Event)                             {}

type roleKey struct {
	user    identity.UserID
	project identity.ProjectID
}

func keyOf(r access.Request) roleKey { return roleKey{r.Principal.User, r.Resource.Project} }

// each answers all requests in turn for a while, and adds how many microseconds of CPU time one took.
func each(to *[]float64, requests []access.Request, allowed func(access.Request) bool) error {
	return measured(to, func() (n int, err error) {
		for start := time.Now(); time.Since(start) < decideRound && err == nil; n += len(requests) {
			err = all(requests, allowed)
		}
		return n, err
	})
}

// once answers each request one time.
func once(to *[]float64, requests []access.Request, allowed func(access.Request) bool) error {
	return measured(to, func() (int, error) { return len(requests), all(requests, allowed) })
}

func all(requests []access.Request, allowed func(access.Request) bool) error {
	for _, r := range requests {
		if !allowed(r) {
			return fmt.Errorf("%s is refused what it was allowed before", r.Principal.User)
		}
	}
	return nil
}

func measured(to *[]float64, work func() (int, error)) error {
	before, err := usedCPU()
	if err != nil {
		return err
	}
	n, err := work()
	if err != nil {
		return err
	}
	after, err := usedCPU()
	*to = append(*to, us(after-before)/float64(n))
	return err
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
