package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/api"
)

const (
	startRounds = 20
	crowdRounds = 3
	crowd       = 20 // starts at once
)

// bareStart is the time that the parts of a runtime take by themselves to a prompt.
type bareStart func(context.Context) (time.Duration, error)

// starts measures the time from the click that starts a workspace whose checkout is there already to the prompt of its terminal in
// the browser, beside a bare start. @clone is from the click that makes a workspace, the clone of a small repository included.
// They take turns. Then many are started at once, with a prebuild, and made of warm ones.
func (w *devWorld) starts(ctx context.Context, figure, peer string, bare bareStart) error {
	var started, made, alone []float64
	var again, cold spent
	noted := func(s *spent) func([]api.Progress, time.Time) error {
		return func(lines []api.Progress, ended time.Time) error {
			s.add(lines, ended)
			return nil
		}
	}
	for round := range startRounds + 1 {
		if round == 1 { // what all workspaces share is made at the first
			again, cold = spent{}, spent{}
		}
		start, err := w.start(ctx, noted(&again))
		if err != nil {
			return err
		}
		other, err := bare(ctx)
		if err != nil {
			return err
		}
		whole, err := w.make(ctx, sampleURL, noted(&cold))
		if err != nil {
			return err
		}
		if round == 0 {
			continue
		}
		started, made, alone = append(started, ms(start)), append(made, ms(whole)), append(alone, ms(other))
		tell("  started in %.0f ms, made in %.0f ms; %s by itself in %.1f ms", ms(start), ms(whole), peer, ms(other))
	}
	compare(figure+".p50", median(started), "ms", peer, median(alone))
	report(figure+".p50@clone", median(made), "ms")
	again.tell("a start")
	cold.tell("a workspace that is made")
	if err := w.crowds(ctx, figure, peer, bare); err != nil {
		return err
	}
	if err := w.commit(ctx, "bare", "main", nil); err != nil { // which has no file of its own, for warm
		return err
	}
	if err := w.prebuilt(ctx, figure); err != nil {
		return err
	}
	return w.warm(ctx, figure)
}

// crowds measures many starts that are asked for in one moment, beside as many bare ones.
func (w *devWorld) crowds(ctx context.Context, figure, peer string, bare bareStart) error {
	var started, made, alone []float64
	for range crowdRounds {
		ids := make([]string, crowd)
		took, err := atOnce(ctx, func(ctx context.Context, i int) (time.Duration, error) {
			click := time.Now()
			ws, err := w.create(ctx, sampleURL)
			if err != nil {
				return 0, err
			}
			ids[i] = ws.ID
			err = w.prompt(ctx, ws.Terminal)
			return time.Since(click), err
		})
		if err != nil {
			return err
		}
		made = append(made, took...)
		if _, err := atOnce(ctx, func(ctx context.Context, i int) (time.Duration, error) { return 0, w.stop(ctx, ids[i]) }); err != nil {
			return err
		}
		if took, err = atOnce(ctx, func(ctx context.Context, i int) (time.Duration, error) { return w.resume(ctx, ids[i]) }); err != nil {
			return err
		}
		started = append(started, took...)
		if _, err := atOnce(ctx, func(ctx context.Context, i int) (time.Duration, error) { return 0, w.delete(ctx, ids[i]) }); err != nil {
			return err
		}
		if took, err = atOnce(ctx, func(ctx context.Context, _ int) (time.Duration, error) { return bare(ctx) }); err != nil {
			return err
		}
		alone = append(alone, took...)
		tell("  %d at once: the last started after %.0f ms, made after %.0f ms; %s by itself %.0f ms", crowd,
			percentile(started[len(started)-crowd:], 100), percentile(made[len(made)-crowd:], 100), peer, percentile(took, 100))
	}
	for _, p := range []float64{50, 99} {
		name := fmt.Sprintf("%s.p%.0f@%d", figure, p, crowd)
		compare(name, percentile(started, p), "ms", peer, percentile(alone, p))
		report(name+"@clone", percentile(made, p), "ms")
	}
	return nil
}

// atOnce does the same for each number below crowd in one moment, and returns what each says that it took, in milliseconds.
func atOnce(ctx context.Context, do func(context.Context, int) (time.Duration, error)) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	took, failed := make([]float64, crowd), make([]error, crowd)
	var all sync.WaitGroup
	for i := range crowd {
		all.Go(func() {
			d, err := do(ctx, i)
			took[i], failed[i] = ms(d), err
		})
	}
	all.Wait()
	return took, errors.Join(failed...)
}
