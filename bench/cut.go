package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

const cutPeople = 20

// benchCut measures how long it takes from the arrival of a notification until streams end for who reads them: those
// of one person who has left a group, and all of them when the group that everybody is in has lost its role.
func benchCut(ctx context.Context, b *bench) error {
	p, err := newPlace(ctx, placeOrder{people: cutPeople})
	if err != nil {
		return err
	}
	defer p.close()
	for _, size := range []struct {
		leases, one, all int // rounds of each kind
		suffix           string
	}{{1000, 60, 10, "@1000"}, {10_000, 20, 4, ""}} {
		if need := uint64(size.leases + 1000); !mayOpen(need) {
			for _, figure := range []string{"cut.one.p50", "cut.one.p99", "cut.all"} {
				skip(figure+size.suffix, fmt.Sprintf("this process may not open %d files; see `ulimit -n`", need))
			}
			continue
		}
		c := cutting{place: p, each: size.leases / cutPeople}
		if err := c.open(ctx, p.everybody()); err != nil {
			return err
		}
		var one, all []float64
		for round := range size.one + 1 {
			took, err := c.cut(ctx, c.leaving(round%cutPeople))
			if err != nil {
				return err
			}
			if round > 0 { // by now Graph's subscriptions stand
				one = append(one, took...)
			}
			if err := c.undo(ctx, c.leaving(round%cutPeople)); err != nil {
				return err
			}
		}
		tell("  %d leases, %d cut by one person's leaving in %d rounds: slowest %.1f ms", size.leases, len(one), size.one, percentile(one, 100))
		for range size.all {
			took, err := c.cut(ctx, c.losing())
			if err != nil {
				return err
			}
			all = append(all, percentile(took, 100))
			tell("  %d leases, all cut: half after %.1f ms, all after %.1f ms", size.leases, median(took), all[len(all)-1])
			if err := c.undo(ctx, c.losing()); err != nil {
				return err
			}
		}
		if err := b.profiled(ctx, p.gateway, "cut-all"+size.suffix, func() error {
			_, err := c.cut(ctx, c.losing())
			return err
		}); err != nil {
			return err
		}
		report("cut.one.p50"+size.suffix, median(one), "ms")
		report("cut.one.p99"+size.suffix, percentile(one, 99), "ms")
		report("cut.all"+size.suffix, median(all), "ms")
		if b.profiles != "" {
			if err := c.undo(ctx, c.losing()); err != nil {
				return err
			}
		}
		if _, err := ask[nothing](ctx, p.load, "leave", p.everybody()); err != nil {
			return err
		}
	}
	return nil
}

// cutting is a place with so many streams open for each person.
type cutting struct {
	*place
	each int
}

func (c cutting) open(ctx context.Context, people []int) error {
	_, err := ask[nothing](ctx, c.load, "open", streamOrder{people, c.each, "/r/plain/stream"})
	return err
}

// change is what is taken away, and whose streams that ends.
type change struct {
	membership
	people []int
}

// leaving takes a person out of the team.
func (c cutting) leaving(person int) change {
	return change{membership{team, personName(person)}, []int{person}}
}

// losing takes the team out of the group that gives it its role.
func (c cutting) losing() change {
	return change{membership{entrasim.PaymentsEngineersID, team}, c.everybody()}
}

// cut makes a change, and says how many milliseconds after its notification's arrival each stream ended.
func (c cutting) cut(ctx context.Context, what change) ([]float64, error) {
	learned, err := ask[time.Time](ctx, c.gateway, "remove", what.membership)
	if err != nil {
		return nil, err
	}
	ended, err := ask[[]time.Time](ctx, c.load, "ended", what.people)
	if err != nil {
		return nil, err
	}
	took := make([]float64, len(ended))
	for i, at := range ended {
		took[i] = ms(at.Sub(learned)) // of two processes, but of one machine's clock
	}
	return took, nil
}

// undo gives back what was taken away, and opens the streams again.
func (c cutting) undo(ctx context.Context, what change) error {
	if _, err := ask[time.Time](ctx, c.gateway, "add", what.membership); err != nil {
		return err
	}
	return c.again(ctx, what.people)
}

// again opens streams as soon as they are allowed again.
func (c cutting) again(ctx context.Context, people []int) (err error) {
	for range 100 {
		if err = c.open(ctx, people); err == nil {
			return nil
		}
		if _, err := ask[nothing](ctx, c.load, "leave", people); err != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

// mayOpen reports whether a process of this user may have so many files open.
func mayOpen(files uint64) bool {
	var limit syscall.Rlimit
	return syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil && limit.Max >= files
}
