package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store"
)

const (
	searchedEvents = 1_000_000
	searchBatch    = 2000
	searches       = 400
	searchedDays   = 400
)

// benchSearch measures searches over a million events of 10,000 people in 200 projects and 400 days: each fits one of
// the ways in which auditors ask, and is answered with a page of 100.
func benchSearch(ctx context.Context, on string, c store.Config) error {
	rows, err := store.Open(ctx, c)
	if err != nil {
		return err
	}
	defer rows.Close()
	start := time.Now()
	if err := fillLog(ctx, rows); err != nil {
		return err
	}
	tell("a million events: %s", time.Since(start).Round(time.Second))
	random := rand.New(rand.NewPCG(1, 2))
	var times []float64
	for n := range searches {
		f := searchFor(random, n)
		begun := time.Now()
		page, err := audit.Search(ctx, rows, f)
		if err != nil {
			return err
		}
		times = append(times, ms(time.Since(begun)))
		if page.Next == "" {
			continue
		}
		f.Cursor = page.Next
		begun = time.Now()
		if _, err := audit.Search(ctx, rows, f); err != nil {
			return err
		}
		times = append(times, ms(time.Since(begun)))
	}
	report("audit.search.p50"+on, percentile(times, 50), "ms")
	report("audit.search.p99"+on, percentile(times, 99), "ms")
	return nil
}

var searchedActions = []identity.Action{
	identity.RepoRead, identity.RepoRead, identity.RepoRead, identity.AppCall, identity.AppCall, identity.RepoWrite,
	identity.WorkspaceOpen, identity.WorkspaceStart, identity.LeaseList, identity.LeaseRevoke,
}

// fillLog writes the events in the order of their time, and waits until the index has them.
func fillLog(ctx context.Context, rows *store.Store) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	log, err := benchLog(rows)
	if err != nil {
		return err
	}
	var run sync.WaitGroup
	run.Go(func() { _ = log.Run(running) })
	defer run.Wait()
	defer stop()
	random := rand.New(rand.NewPCG(3, 4))
	first := time.Now().AddDate(0, 0, -searchedDays)
	step := searchedDays * 24 * time.Hour / searchedEvents
	for n := 0; n < searchedEvents; n += searchBatch {
		events := make([]audit.Event, searchBatch)
		for i := range events {
			events[i] = searchedEvent(random, first.Add(time.Duration(n+i)*step))
		}
		if err := log.Durable(ctx, events...); err != nil {
			return err
		}
	}
	return allFiled(ctx, rows)
}

func searchedEvent(random *rand.Rand, at time.Time) audit.Event {
	e := sampleEvent()
	project := random.IntN(200)
	e.Time, e.Action = at, string(searchedActions[random.IntN(len(searchedActions))])
	e.User = audit.PersonOf(identity.UserID{Tenant: auditTenant, Object: searchedUser(random)}, "Ada Lovelace")
	e.Project = fmt.Sprintf("project-%d", project)
	e.Resource = fmt.Sprintf("repo https://git.example.test/project-%d/%d", project, random.IntN(5))
	if random.IntN(100) == 0 {
		e.Outcome = audit.Denied
	}
	return e
}

func searchedUser(random *rand.Rand) string {
	return fmt.Sprintf("67224801-dc28-4774-a21b-%012d", random.IntN(10_000))
}

// searchFor is the n-th question: the ways take turns.
func searchFor(random *rand.Rand, n int) audit.Filter {
	project := random.IntN(200)
	resource := fmt.Sprintf("https://git.example.test/project-%d/%d", project, random.IntN(5))
	since := time.Now().AddDate(0, 0, -random.IntN(searchedDays))
	switch n % 8 {
	case 0:
		return audit.Filter{Limit: 100, Person: searchedUser(random)}
	case 1:
		return audit.Filter{Limit: 100, Person: searchedUser(random), Action: string(identity.RepoWrite), Oldest: true}
	case 2:
		return audit.Filter{Limit: 100, Resource: resource}
	case 3:
		return audit.Filter{Limit: 100, Resource: resource, Outcome: string(audit.Denied)}
	case 4:
		return audit.Filter{Limit: 100, Action: string(identity.RepoWrite), Since: since, Until: since.AddDate(0, 0, 7)}
	case 5:
		return audit.Filter{Limit: 100, Outcome: string(audit.Denied), Until: since}
	case 6:
		return audit.Filter{Limit: 100, Project: fmt.Sprintf("project-%d", project), Since: since, Oldest: true}
	default:
		return audit.Filter{Limit: 100, Project: fmt.Sprintf("project-%d", project), Action: string(identity.LeaseRevoke), Outcome: string(audit.Denied)}
	}
}
