package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
	_ "modernc.org/sqlite" // the bare part beside it

	"github.com/lanyardhq/lanyard/bench/world"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store"
)

const (
	auditCallers = 64
	auditRounds  = 7
	auditRound   = time.Second
)

// benchAudit measures how many events a second are on disk when Durable returns, with 64 callers at a time and with
// one, while the log's leader makes leaves of them; beside one insert a transaction into a SQLite table with the same
// synchronisation, on the same disk.
func benchAudit(ctx context.Context, _ *bench) error {
	folder, err := os.MkdirTemp("", "lyb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	rows, err := store.Open(ctx, store.Config{SQLite: filepath.Join(folder, "lanyard.db"), Origin: "bench"})
	if err != nil {
		return err
	}
	defer rows.Close()
	private, _, err := note.GenerateKey(rand.Reader, "bench/audit")
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		return err
	}
	log := audit.New(audit.Config{Rows: rows, Signer: signer, Holder: "bench"})
	running, stop := context.WithCancel(ctx)
	var leader sync.WaitGroup
	leader.Go(func() { _ = log.Run(running) })
	defer leader.Wait()
	defer stop()
	bare, err := bareInserts(ctx, filepath.Join(folder, "bare.db"))
	if err != nil {
		return err
	}
	defer bare.Close()

	var many, one, inserts []float64
	durable := func() error { return log.Durable(ctx, sampleEvent()) }
	body, err := audit.Encode(sampleEvent())
	if err != nil {
		return err
	}
	insert := func() error {
		_, err := bare.ExecContext(ctx, `INSERT INTO events (body) VALUES ($1)`, body)
		return err
	}
	for range auditRounds {
		for _, way := range []struct {
			to      *[]float64
			callers int
			do      func() error
		}{{&many, auditCallers, durable}, {&inserts, 1, insert}, {&one, 1, durable}} {
			rate, err := perSecond(way.callers, way.do)
			if err != nil {
				return err
			}
			*way.to = append(*way.to, rate)
		}
	}
	compare("audit.durable", median(many), "events/s", "sqlite", median(inserts))
	compare("audit.durable@1", median(one), "events/s", "sqlite", median(inserts))
	return nil
}

// sampleEvent is as large as most are.
func sampleEvent() audit.Event {
	return audit.Event{
		Time: time.Now(), Action: string(identity.RepoWrite), Outcome: audit.Opened,
		User:    audit.PersonOf(identity.UserID{Tenant: world.Tenant, Object: "67224801-dc28-4774-a21b-13838a428c41"}, "Ada Lovelace"),
		Session: identity.NewSessionID(), Workspace: identity.NewWorkspaceID(), Project: "payments",
		Resource: "repository https://git.example.test/payments/api", Reasons: []string{"developer through payments-engineers"},
		IP: "127.0.0.1", Detail: map[string]any{"refs": []string{"refs/heads/main"}},
	}
}

func perSecond(callers int, do func() error) (float64, error) {
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
	return float64(done.Load()) / time.Since(start).Seconds(), nil
}

func bareInserts(ctx context.Context, path string) (*sql.DB, error) {
	options := url.Values{"_pragma": {"busy_timeout(10000)", "synchronous(FULL)", "journal_mode(WAL)"}}
	db, err := sql.Open("sqlite", "file:"+path+"?"+options.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, `CREATE TABLE events (num INTEGER PRIMARY KEY, body BLOB NOT NULL)`); err != nil {
		db.Close()
		return nil, fmt.Errorf("make the bare table: %w", err)
	}
	return db, nil
}
