package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

const (
	auditCallers = 64
	auditRounds  = 5
	auditRound   = 2 * time.Second
	auditTenant  = identity.TenantID("8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01")
)

// benchAudit measures how many events a second are on disk when Durable returns, while the log's leader makes leaves
// of them; and how many when the index follows as well, until it has them all. Beside it is what the disk does: the
// same callers with the same bytes, gathered in the same way, appended to a file and synced.
func benchAudit(ctx context.Context, b *bench) error {
	folder, err := os.MkdirTemp("", "lyb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	sqlite := func(name string) store.Config { return store.Config{SQLite: filepath.Join(folder, name)} }
	if err := auditOn(ctx, b, "", folder, sqlite("bare.db"), sqlite("indexed.db")); err != nil {
		return err
	}
	if err := benchSearch(ctx, "", sqlite("search.db")); err != nil {
		return err
	}
	var on [3]store.Config
	for i := range on {
		if on[i], err = storetest.Durable(); err != nil {
			skip("audit.durable@postgres", err.Error())
			return nil
		}
	}
	if err := auditOn(ctx, b, "@postgres", folder, on[0], on[1]); err != nil {
		return err
	}
	return benchSearch(ctx, "@postgres", on[2])
}

// unindexed is a store whose index has always all there is, so that nobody files anything.
type unindexed struct{ *store.Store }

func (u unindexed) Sizes(ctx context.Context) (audit.Sizes, error) {
	z, err := u.Store.Sizes(ctx)
	z.Indexed = z.Given
	return z, err
}

// auditOn measures one kind of database, every way in turn in each round.
func auditOn(ctx context.Context, b *bench, on, folder string, plain, filed store.Config) error {
	plain.Origin, filed.Origin = "bench", "bench"
	bare, err := store.Open(ctx, plain)
	if err != nil {
		return err
	}
	defer bare.Close()
	indexed, err := store.Open(ctx, filed)
	if err != nil {
		return err
	}
	defer indexed.Close()
	disk, err := openGroupFile(filepath.Join(folder, "bare"+on))
	if err != nil {
		return err
	}
	defer disk.file.Close()
	record, err := audit.Encode(sampleEvent())
	if err != nil {
		return err
	}
	line := append(append([]byte{}, record.Leaf...), record.Clear...)
	appendLine := func() error { return disk.append(line) }

	if b.profiles != "" {
		if _, err := profile(ctx, filepath.Join(b.profiles, "audit"+on+".pprof")); err != nil {
			return err
		}
		defer func() { _, _ = profile(ctx, "") }()
	}
	var many, all, one, fsync, fsyncOne []float64
	for range auditRounds {
		for _, way := range []struct {
			to  *[]float64
			run func() (float64, error)
		}{
			{&fsync, func() (float64, error) { return perSecond(auditCallers, appendLine, nil) }},
			{&many, func() (float64, error) { return eventsPerSecond(ctx, auditCallers, unindexed{bare}, nil) }},
			{&all, func() (float64, error) {
				return eventsPerSecond(ctx, auditCallers, indexed, func() error { return allFiled(ctx, indexed) })
			}},
			{&fsyncOne, func() (float64, error) { return perSecond(1, appendLine, nil) }},
			{&one, func() (float64, error) { return eventsPerSecond(ctx, 1, unindexed{bare}, nil) }},
		} {
			rate, err := way.run()
			if err != nil {
				return err
			}
			*way.to = append(*way.to, rate)
		}
	}
	compare("audit.durable"+on, median(many), "events/s", "fsync", median(fsync))
	compare("audit.durable@indexed"+on, median(all), "events/s", "fsync", median(fsync))
	compare("audit.durable@1"+on, median(one), "events/s", "fsync", median(fsyncOne))
	return nil
}

// eventsPerSecond measures Durable while the log runs. after, if any, counts as part of the time.
func eventsPerSecond(ctx context.Context, callers int, rows audit.Rows, after func() error) (float64, error) {
	log, err := benchLog(rows)
	if err != nil {
		return 0, err
	}
	running, stop := context.WithCancel(ctx)
	var run sync.WaitGroup
	run.Go(func() { _ = log.Run(running) })
	defer run.Wait()
	defer stop()
	return perSecond(callers, func() error { return log.Durable(ctx, sampleEvent()) }, after)
}

// benchLog is a log with a key of its own. Its signatures over another one's tree are as good as any here.
func benchLog(rows audit.Rows) (*audit.Log, error) {
	private, _, err := note.GenerateKey(rand.Reader, "bench/audit")
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		return nil, err
	}
	return audit.New(audit.Config{Rows: rows, Signer: signer, Holder: "bench"}), nil
}

// allFiled waits until the index has every event.
func allFiled(ctx context.Context, rows *store.Store) error {
	for {
		z, err := rows.Sizes(ctx)
		if err != nil || z.Indexed == z.Given && z.Signed == z.Given {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// sampleEvent is as large as most are.
func sampleEvent() audit.Event {
	return audit.Event{
		Time: time.Now(), Action: string(identity.RepoWrite), Outcome: audit.Opened,
		User:    audit.PersonOf(identity.UserID{Tenant: auditTenant, Object: "67224801-dc28-4774-a21b-13838a428c41"}, "Ada Lovelace"),
		Session: identity.NewSessionID(), Workspace: identity.NewWorkspaceID(), Project: "payments",
		Resource: "repo https://git.example.test/payments/api", Reasons: []string{"developer through payments-engineers"},
		IP: "127.0.0.1", Detail: map[string]any{"refs": []string{"refs/heads/main"}},
	}
}

// perSecond lets callers do something again and again for a round. What after does is part of the time.
func perSecond(callers int, do func() error, after func() error) (float64, error) {
	var done atomic.Int64
	var failed atomic.Pointer[error]
	start := time.Now()
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for time.Since(start) < auditRound {
				if err := do(); err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	if after != nil {
		if err := after(); err != nil {
			return 0, err
		}
	}
	return float64(done.Load()) / time.Since(start).Seconds(), nil
}

// groupFile appends lines to a file; those of callers at the same time share a write and a sync.
type groupFile struct {
	file    *os.File
	mu      sync.Mutex
	waiting []chan error
	bytes   []byte
	busy    bool
}

func openGroupFile(path string) (*groupFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the bare file: %w", err)
	}
	return &groupFile{file: f}, nil
}

func (g *groupFile) append(line []byte) error {
	done := make(chan error, 1)
	g.mu.Lock()
	g.waiting, g.bytes = append(g.waiting, done), append(append(g.bytes, line...), '\n')
	if !g.busy {
		g.busy = true
		go g.drain()
	}
	g.mu.Unlock()
	return <-done
}

func (g *groupFile) drain() {
	for {
		g.mu.Lock()
		waiting, bytes := g.waiting, g.bytes
		g.waiting, g.bytes = nil, nil
		if len(waiting) == 0 {
			g.busy = false
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		_, err := g.file.Write(bytes)
		err = errors.Join(err, g.file.Sync())
		for _, done := range waiting {
			done <- err
		}
	}
}
