package access_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/bench/world"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
)

type nowhere struct{}

func (nowhere) Durable(context.Context, ...audit.Event) error { return nil }
func (nowhere) Later(audit.Event)                             {}

func organisation(b *testing.B) (*world.World, *access.Engine) {
	w, err := world.New(world.Whole(), time.Now())
	if err != nil {
		b.Fatal(err)
	}
	return w, access.New(access.Config{Facts: *w.Facts, Audit: nowhere{}, Log: slog.New(slog.DiscardHandler)})
}

func BenchmarkDecide(b *testing.B) {
	w, engine := organisation(b)
	for name, decide := range map[string]func(access.Request) bool{
		"uncached": func(r access.Request) bool { return access.Decide(w.Facts, r, time.Now()).Effect == access.Allow },
		"cached":   engine.May,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if !decide(w.Allowed[i%len(w.Allowed)]) {
					b.Fatal("refused")
				}
			}
		})
	}
}

// BenchmarkOpenEnd is a one-shot request's lease: by one after the other, and by all processors at once.
func BenchmarkOpenEnd(b *testing.B) {
	w, engine := organisation(b)
	one := func(b *testing.B, r access.Request) {
		_, lease, err := engine.Open(context.Background(), r, nil)
		if err != nil {
			b.Fatal(err)
		}
		lease.Count(1024)
		lease.End()
	}
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			one(b, w.Allowed[i%len(w.Allowed)])
		}
	})
	b.Run("together", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(next *testing.PB) {
			for i := 0; next.Next(); i++ {
				one(b, w.Allowed[i%len(w.Allowed)])
			}
		})
	})
}

// BenchmarkFirst is a user's first decision after a change of their own groups.
func BenchmarkFirst(b *testing.B) {
	w, _ := organisation(b)
	now := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r := w.Allowed[i%len(w.Allowed)]
		u, _ := w.Facts.Directory.User(r.Principal.User)
		renamed := *u
		renamed.Name += "!"
		b.StopTimer()
		facts := *w.Facts
		facts.Directory, _ = facts.Directory.With(directory.Change{Users: []directory.User{renamed}})
		b.StartTimer()
		if access.Decide(&facts, r, now).Effect != access.Allow {
			b.Fatal("refused")
		}
	}
}
