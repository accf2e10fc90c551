package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/lanyardhq/lanyard/bench/world"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
)

func lanyardUncached(w *world.World, now time.Time) (engine, error) {
	return func(q access.Request) (bool, error) {
		return access.Decide(w.Facts, q, now).Effect == access.Allow, nil
	}, nil
}

func lanyardCached(w *world.World, now time.Time) (engine, error) {
	e := access.New(access.Config{Facts: *w.Facts, Audit: nowhere{}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
	return func(q access.Request) (bool, error) { return e.May(q), nil }, nil
}

// nowhere is an audit log that keeps nothing: nothing is opened.
type nowhere struct{}

func (nowhere) Durable(context.Context, ...audit.Event) error { return nil }
func (nowhere) Later(audit.Event)                             {}
