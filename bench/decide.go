package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
)

// The organisation that decisions are made for.
const (
	decideUsers    = 10_000
	decideGroups   = 1_000
	decideProjects = 200
	decideIn       = 144 // groups that each user is in
	decideAskers   = 1_000
	decideRounds   = 9
	decideRound    = 300 * time.Millisecond
)

const decideTenant identity.TenantID = "8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01"

// benchDecide measures the CPU time of one decision on an app of a project, for users who are in 144 of 1,000 groups each, from
// facts as the server holds them. Beside it is the least that could answer the same question: one look into a map of
// (user, project) that somebody has filled before. @first is a user's first decision after a change of the directory,
// when the closure of their groups has to be found.
func benchDecide(ctx context.Context, b *bench) error {
	facts, requests, err := decisions()
	if err != nil {
		return err
	}
	runtime.GC() // what making the facts has left is not the decisions'
	now := time.Now()
	roles := map[roleKey]policy.Role{}
	for _, r := range requests {
		d := access.Decide(facts, r, now)
		if d.Effect != access.Allow {
			return fmt.Errorf("the sample does not allow: %v", d.Reasons)
		}
		roles[roleKey{r.Principal.User, r.Resource.Project}] = d.Role
	}
	var whole, bare, first []float64
	for range decideRounds {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := each(&whole, requests, func(r access.Request) bool { return access.Decide(facts, r, now).Effect == access.Allow }); err != nil {
			return err
		}
		if err := each(&bare, requests, func(r access.Request) bool {
			return roles[roleKey{r.Principal.User, r.Resource.Project}].Includes(policy.Developer)
		}); err != nil {
			return err
		}
		// A change of anybody makes a new snapshot, in which no closure is known.
		touched := *facts
		toggle := directory.Membership{Group: groupN(0), Member: directory.Member{User: userN(decideUsers - 1)}, Removed: len(first)%2 == 0}
		touched.Directory, _ = facts.Directory.With(directory.Change{AsOf: now, Members: []directory.Membership{toggle}})
		start, err := usedCPU()
		if err != nil {
			return err
		}
		for _, r := range requests {
			if access.Decide(&touched, r, now).Effect != access.Allow {
				return fmt.Errorf("the change took access away from %s", r.Principal.User)
			}
		}
		end, err := usedCPU()
		if err != nil {
			return err
		}
		first = append(first, us(end-start)/float64(len(requests)))
	}
	if b.profiles != "" {
		if _, err := profile(ctx, filepath.Join(b.profiles, "decide.pprof")); err != nil {
			return err
		}
		var more []float64
		for range decideRounds {
			if err := each(&more, requests, func(r access.Request) bool { return access.Decide(facts, r, now).Effect == access.Allow }); err != nil {
				return err
			}
		}
		if _, err := profile(ctx, ""); err != nil {
			return err
		}
	}
	compare("decide.uncached", median(whole), "us", "map", median(bare))
	report("decide.uncached@first", median(first), "us")
	return nil
}

type roleKey struct {
	user    identity.UserID
	project identity.ProjectID
}

// each answers all requests in turn for a while, and adds how many microseconds of CPU time one took.
func each(to *[]float64, requests []access.Request, allowed func(access.Request) bool) error {
	n := 0
	before, err := usedCPU()
	if err != nil {
		return err
	}
	for start := time.Now(); time.Since(start) < decideRound; {
		for _, r := range requests {
			if !allowed(r) {
				return fmt.Errorf("%s is refused what it was allowed before", r.Principal.User)
			}
			n++
		}
	}
	after, err := usedCPU()
	*to = append(*to, us(after-before)/float64(n))
	return err
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
