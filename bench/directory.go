package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

const directoryChanges = 300

// organisation is what the benchmarks read, divided by what the command line says.
func (b *bench) organisation() entrasim.Size {
	return entrasim.Size{Seed: 1, Users: 100_000 / b.divide, Groups: 10_000 / b.divide, Memberships: 1_000_000 / b.divide, Depth: 5, Assigned: 200 / b.divide}
}

// of names a figure of another size than the organisation's own.
func (b *bench) of(name string) string {
	if b.divide == 1 {
		return name
	}
	return fmt.Sprintf("%s@%d", name, b.organisation().Users)
}

// benchDirectory reads a large organisation for the first time, starts again from what is stored, and then measures the
// time from the arrival of a notification, which says only that something changed, until a snapshot with the change is
// published: the delta is asked of the tenant, applied and, where it gives access, stored. The tenant, what reads it and
// what merely downloads the same pages are processes of their own.
func benchDirectory(ctx context.Context, b *bench) error {
	tenant, err := startPart("tenant")
	if err != nil {
		return err
	}
	defer tenant.close()
	began := time.Now()
	about, err := ask[directoryTenant](ctx, tenant, "start", b.organisation())
	if err != nil {
		return err
	}
	tell("  an organisation of %d users, %d groups, %d memberships: %s", b.organisation().Users, b.organisation().Groups, b.organisation().Memberships,
		time.Since(began).Round(time.Second))
	folder, err := os.MkdirTemp("", "lyb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := b.directoryOn(ctx, tenant, about, "", store.Config{SQLite: filepath.Join(folder, "lanyard.db")}); err != nil {
		return err
	}
	on, err := storetest.Durable()
	if err != nil {
		skip("directory.read@postgres", err.Error())
		return nil
	}
	return b.directoryOn(ctx, tenant, about, "@postgres", on)
}

// inPart starts a part for one question or a few.
func inPart(role string, do func(*part) error) error {
	p, err := startPart(role)
	if err != nil {
		return err
	}
	defer p.close()
	return do(p)
}

func (b *bench) directoryOn(ctx context.Context, tenant *part, about directoryTenant, suffix string, on store.Config) error {
	order := readOrder{Tenant: about, SQLite: on.SQLite, PostgreSQL: on.PostgreSQL, Users: b.organisation().Users,
		Groups: b.organisation().Groups, Memberships: b.organisation().Memberships}
	var bare time.Duration
	if err := inPart("reader", func(p *part) (err error) {
		bare, err = ask[time.Duration](ctx, p, "download", about)
		return err
	}); err != nil {
		return err
	}
	if err := inPart("reader", func(p *part) error {
		if err := b.profiled(ctx, p, "directory.read"+suffix, func() error { return b.firstRead(ctx, p, order, suffix, bare) }); err != nil {
			return err
		}
		if b.profiles == "" {
			return b.firstRead(ctx, p, order, suffix, bare)
		}
		return nil
	}); err != nil {
		return err
	}
	return inPart("reader", func(p *part) error {
		again, err := ask[readAnswer](ctx, p, "restart", order)
		if err != nil {
			return err
		}
		report(b.of("directory.restart")+suffix, again.Took.Seconds(), "s")
		report(b.of("directory.memory.restarted")+suffix, float64(again.Resting)/float64(order.Users), "B/user")
		return b.effect(ctx, tenant, p, suffix)
	})
}

func (b *bench) firstRead(ctx context.Context, p *part, order readOrder, suffix string, bare time.Duration) error {
	read, err := ask[readAnswer](ctx, p, "read", order)
	if err != nil {
		return err
	}
	compare(b.of("directory.read")+suffix, read.Took.Seconds(), "s", "download", bare.Seconds())
	report(b.of("directory.memory")+suffix, float64(read.Resting)/float64(order.Users), "B/user")
	report(b.of("directory.memory.peak")+suffix, float64(read.Peak)/(1<<20), "MiB")
	return nil
}

// effect changes the tenant: half of the changes take a person out of a group, half put them back.
func (b *bench) effect(ctx context.Context, tenant, reader *part, suffix string) error {
	size := b.organisation()
	random := rand.New(rand.NewPCG(2, 3))
	var took []float64
	for round := range directoryChanges + 2 {
		change := directoryChange{Group: size.GroupID(random.IntN(size.Groups)), User: size.UserID(random.IntN(size.Users))}
		for _, change.In = range []bool{true, false} {
			if _, err := ask[nothing](ctx, reader, "expect", change); err != nil {
				return err
			}
			if _, err := ask[nothing](ctx, tenant, "change", change); err != nil {
				return err
			}
			after, err := ask[time.Duration](ctx, reader, "effect", nil)
			if err != nil {
				return err
			}
			if round >= 2 { // by now Graph's subscriptions stand
				took = append(took, ms(after))
			}
		}
		if len(took) >= directoryChanges {
			break
		}
	}
	if len(took) == 0 {
		return errors.New("no change took effect")
	}
	tell("  %d changes: slowest %.1f ms", len(took), percentile(took, 100))
	report(b.of("directory.effect.p50")+suffix, median(took), "ms")
	report(b.of("directory.effect.p99")+suffix, percentile(took, 99), "ms")
	return nil
}
