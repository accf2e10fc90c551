package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// What the load is made of. It is bounded: what is looked for grows with time, not with force.
const (
	soakPeople      = 4
	soakConnections = 4               // requests at a time, for each person
	soakStreams     = 25              // open at a time, for each person
	soakStreamLife  = 5 * time.Second // then all are left and opened again
	soakMegabytes   = 4
)

// benchSoak keeps a gateway busy with requests, streams and clones for some minutes, and says how much memory its process
// has, and which of its locks were waited for.
func benchSoak(ctx context.Context, b *bench) error {
	if b.minutes == 0 {
		skip("load.rss", "it takes ten minutes; run it alone, by `make bench ONLY=load`")
		return nil
	}
	p, err := newPlace(ctx, placeOrder{people: soakPeople, megabytes: soakMegabytes})
	if err != nil {
		return err
	}
	defer p.close()
	through, err := ask[string](ctx, p.load, "forward", 0)
	if err != nil {
		return err
	}
	if _, err := ask[nothing](ctx, p.gateway, "contend", true); err != nil {
		return err
	}
	begun := time.Now()
	type result struct {
		mixed
		err error
	}
	done := make(chan result, 1)
	go func() {
		m, err := ask[mixed](ctx, p.load, "mix", mixOrder{
			For: time.Duration(b.minutes) * time.Minute, Tunnels: p.everybody(), Repository: "http://" + through + "/git/" + gitHost + "/" + repository, Folder: p.folder,
		})
		done <- result{m, err}
	}()
	var first, last float64
	for minute := 1; ; minute++ {
		select {
		case r := <-done:
			if r.err != nil {
				return r.err
			}
			tell("  %d requests, %d streams, %d clones", r.Requests, r.Streams, r.Clones)
			report("load.growth", 100*(last/first-1), "%")
			return p.contention(ctx, time.Since(begun))
		case <-time.After(time.Until(begun.Add(time.Duration(minute)*time.Minute - time.Second))):
		}
		if last, err = ask[float64](ctx, p.gateway, "rss", nil); err != nil {
			return err
		}
		if minute == 1 {
			first = last
		}
		tell("  minute %d: %.1f MB", minute, last)
		if minute == 1 || minute == 5 || minute == 10 || minute == b.minutes {
			report(fmt.Sprintf("load.rss@%d", minute), last, "MB")
		}
	}
}

// contention prints the locks that were waited for most.
func (p *place) contention(ctx context.Context, took time.Duration) error {
	waits, err := ask[[]lockWait](ctx, p.gateway, "contention", nil)
	if err != nil {
		return err
	}
	var all time.Duration
	for _, w := range waits {
		all += w.Waited
	}
	whole := took * time.Duration(runtime.NumCPU())
	for _, w := range waits[:min(8, len(waits))] {
		tell("  %5.1f %% of all waiting, %.3f %% of the time: %s", 100*float64(w.Waited)/float64(all), 100*float64(w.Waited)/float64(whole), w.Where)
	}
	worst := time.Duration(0)
	if len(waits) > 0 {
		worst = waits[0].Waited
	}
	report("load.mutex", 100*float64(worst)/float64(whole), "%")
	report("load.mutex@all", 100*float64(all)/float64(whole), "%")
	return nil
}

// lockWait is how long goroutines waited for a lock, all together, and where it was given back.
type lockWait struct {
	Where  string
	Waited time.Duration
}

// watchLocks begins to note every wait for a lock, or ends it.
func watchLocks(_ context.Context, on bool) (nothing, error) {
	every := 0
	if on {
		every = 1
	}
	runtime.SetMutexProfileFraction(every)
	return nothing{}, nil
}

// lockWaits are the waits noted so far, longest first, by the first functions outside of the runtime.
func lockWaits(context.Context, nothing) ([]lockWait, error) {
	var text bytes.Buffer
	if err := pprof.Lookup("mutex").WriteTo(&text, 1); err != nil {
		return nil, err
	}
	_, after, found := strings.Cut(text.String(), "cycles/second=")
	line, _, _ := strings.Cut(after, "\n")
	rate, err := strconv.ParseFloat(line, 64)
	if !found || err != nil {
		return nil, errors.Join(errors.New("the profile does not say how fast cycles are"), err)
	}
	records := make([]runtime.BlockProfileRecord, 4096)
	n, ok := runtime.MutexProfile(records)
	if !ok {
		return nil, fmt.Errorf("%d places in the profile are too many", n)
	}
	by := map[string]time.Duration{}
	for _, r := range records[:n] {
		by[lockPlace(r.Stack())] += time.Duration(float64(r.Cycles) / rate * float64(time.Second))
	}
	var list []lockWait
	for where, waited := range by {
		list = append(list, lockWait{where, waited})
	}
	slices.SortFunc(list, func(a, b lockWait) int { return cmp.Compare(b.Waited, a.Waited) })
	return list, nil
}

// lockPlace names the function that gave a lock back, and who called it.
func lockPlace(stack []uintptr) string {
	var names []string
	for frames := runtime.CallersFrames(stack); len(names) < 2; {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "sync.") && !strings.HasPrefix(f.Function, "runtime.") && !strings.HasPrefix(f.Function, "internal/") {
			names = append(names, f.Function[strings.LastIndexByte(f.Function, '/')+1:])
		}
		if !more {
			break
		}
	}
	if len(names) == 0 {
		return "the runtime's own"
	}
	return strings.Join(names, " of ")
}

// rss is the memory that this process has from the system, in MB.
func rss(context.Context, nothing) (float64, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if kb, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(kb, "kB")), 64)
			return n / 1024, err
		}
	}
	return 0, errors.New("the system does not say it")
}

type mixOrder struct {
	For        time.Duration
	Tunnels    []int
	Repository string
	Folder     string
}

type mixed struct{ Requests, Streams, Clones int64 }

// mix uses the gateway in all ways at once.
func (l *loadRole) mix(ctx context.Context, o mixOrder) (m mixed, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.For, errOver)
	defer cancel()
	var requests, streams, clones atomic.Int64
	var all sync.WaitGroup
	var mu sync.Mutex
	fail := func(e error) {
		if ctx.Err() == nil && e != nil {
			mu.Lock()
			err = errors.Join(err, e)
			mu.Unlock()
			cancel()
		}
	}
	for _, t := range o.Tunnels {
		for i := range soakConnections {
			path := []string{"/r/plain/small", "/r/signed/small"}[i%2]
			transport, url := l.client(target{Tunnel: t, Path: path})
			all.Go(func() {
				for ctx.Err() == nil {
					if _, err := get(ctx, transport, url, visitor{}); err != nil {
						fail(err)
						return
					}
					requests.Add(1)
					time.Sleep(5 * time.Millisecond)
				}
			})
		}
		all.Go(func() {
			for ctx.Err() == nil {
				if _, err := l.open(ctx, streamOrder{Tunnels: []int{t}, Each: soakStreams, Path: "/r/plain/stream"}); err != nil {
					fail(err)
					return
				}
				streams.Add(soakStreams)
				select {
				case <-ctx.Done():
				case <-time.After(soakStreamLife):
				}
				if _, err := l.leave(ctx, []int{t}); err != nil {
					fail(err)
					return
				}
			}
		})
	}
	all.Go(func() {
		for ctx.Err() == nil {
			_, err := clone(ctx, cloneOrder{URL: o.Repository, Folder: filepath.Join(o.Folder)})
			if err != nil {
				fail(err)
				return
			}
			clones.Add(1)
			select {
			case <-ctx.Done():
			case <-time.After(2 * time.Second):
			}
		}
	})
	all.Wait()
	return mixed{requests.Load(), streams.Load(), clones.Load()}, err
}

var errOver = errors.New("the time is over")
