package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/directory/scim/provision"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/internal/web"
)

const (
	scimUsers   = 500
	scimSenders = 4
)

// benchSCIM measures how many SCIM requests a second are answered: users are made, then disabled and enabled by PATCH, by
// a few connections, over HTTP. Each is authenticated, stored and in effect before its answer. Beside it is what the
// database does for as many callers: an insert of one row of the same size in a transaction of its own.
func benchSCIM(ctx context.Context, _ *bench) error {
	folder, err := os.MkdirTemp("", "lyb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := scimOn(ctx, "", store.Config{SQLite: filepath.Join(folder, "lanyard.db")}); err != nil {
		return err
	}
	on, err := storetest.Durable()
	if err != nil {
		skip("scim.ops@postgres", err.Error())
		return nil
	}
	return scimOn(ctx, "@postgres", on)
}

func scimOn(ctx context.Context, suffix string, on store.Config) error {
	p, err := newProvisioned(ctx, on)
	if err != nil {
		return err
	}
	defer p.close()
	ids := make([]string, scimUsers)
	made, err := p.rate(ctx, scimUsers, func(i int) (err error) {
		ids[i], err = p.send(ctx, http.MethodPost, "/scim/v2/Users", scimUser(i), http.StatusCreated)
		return err
	})
	if err != nil {
		return err
	}
	patched, err := p.rate(ctx, 2*scimUsers, func(i int) error {
		_, err := p.send(ctx, http.MethodPatch, "/scim/v2/Users/"+ids[i%scimUsers], map[string]any{
			"schemas":    []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
			"Operations": []any{map[string]any{"op": "Replace", "path": "active", "value": i >= scimUsers}},
		}, http.StatusOK)
		return err
	})
	if err != nil {
		return err
	}
	bare, err := p.bare(ctx, on)
	if err != nil {
		return err
	}
	compare("scim.ops"+suffix, patched, "ops/s", "insert", bare)
	compare("scim.ops@create"+suffix, made, "ops/s", "insert", bare)
	return nil
}

// provisioned is a SCIM endpoint on a listener, with the directory that it changes.
type provisioned struct {
	rows      *store.Store
	directory *directory.Directory
	server    *http.Server
	client    *http.Client
	url       string
	secret    string
	stop      context.CancelFunc
	running   sync.WaitGroup
}

func newProvisioned(ctx context.Context, on store.Config) (p *provisioned, err error) {
	p = &provisioned{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: scimSenders}}}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	on.Origin = "bench"
	if p.rows, err = store.Open(ctx, on); err != nil {
		return p, err
	}
	p.directory = directory.New(directory.Config{Rows: p.rows, Log: warnings(), Publish: func(*directory.Snapshot, directory.Touched, feed.Seq) {}})
	if err = p.directory.Load(ctx); err != nil {
		return p, err
	}
	sealer, err := token.NewSealer(bytes.Repeat([]byte{7}, token.SealingKeySize))
	if err != nil {
		return p, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return p, err
	}
	p.url = "http://" + l.Addr().String()
	service := provision.New(provision.Config{Rows: p.rows, Tenant: entrasim.ContosoTenantID, URL: p.url, Directory: p.directory, Members: true, Users: true,
		Leads: func() bool { return true }, Sealer: sealer, Audit: func(audit.Event) {}, Log: warnings()})
	if err = service.Load(ctx); err != nil {
		l.Close()
		return p, err
	}
	handler, err := service.Site().Handler(web.Config{Log: warnings()})
	if err != nil {
		l.Close()
		return p, err
	}
	p.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: handler}
	go func() { _ = p.server.Serve(l) }() // ends with close
	running, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.running.Go(func() { service.Run(running) })
	_, p.secret, err = service.CreateCredential(ctx, provision.NewCredential{Name: "bench", Kind: provision.Bearer, By: "bench"})
	return p, err
}

func (p *provisioned) close() {
	if p.stop != nil {
		p.stop()
		p.running.Wait()
	}
	if p.server != nil {
		p.server.Close()
	}
	p.client.CloseIdleConnections()
	if p.directory != nil {
		p.directory.Close()
	}
	if p.rows != nil {
		p.rows.Close()
	}
}

func scimUser(i int) map[string]any {
	name := fmt.Sprintf("person-%d@contoso.example", i)
	return map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": name, "externalId": entrasim.Size{Seed: 9}.UserID(i),
		"active": true, "displayName": name, "emails": []any{map[string]any{"primary": true, "type": "work", "value": name}}}
}

// send sends one request and returns the ID in its answer.
func (p *provisioned) send(ctx context.Context, method, path string, body any, want int) (id string, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, method, p.url+path, bytes.NewReader(text))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+p.secret)
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := p.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != want {
		return "", fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	var made struct {
		ID string `json:"id"`
	}
	return made.ID, json.Unmarshal(answer, &made)
}

// rate calls do with the numbers below n, by a few at a time, and returns how many calls there were a second.
func (p *provisioned) rate(ctx context.Context, n int, do func(int) error) (float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var senders sync.WaitGroup
	began := time.Now()
	for range scimSenders {
		senders.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					cancel(err)
				}
			}
		})
	}
	senders.Wait()
	return float64(n) / time.Since(began).Seconds(), context.Cause(ctx)
}

// bare inserts rows into a table of its own, as many callers as senders, each in a transaction.
func (p *provisioned) bare(ctx context.Context, on store.Config) (float64, error) {
	driver, name := "pgx", on.PostgreSQL
	if on.SQLite != "" {
		driver = "sqlite"
		name = (&url.URL{Scheme: "file", OmitHost: true, Path: on.SQLite + ".bare", RawQuery: url.Values{"_pragma": {"busy_timeout(10000)", "synchronous(FULL)", "journal_mode(WAL)"},
			"_txlock": {"immediate"}}.Encode()}).String()
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	db.SetMaxOpenConns(scimSenders)
	if on.SQLite != "" {
		db.SetMaxOpenConns(1) // as the store has it
	}
	if _, err := db.ExecContext(ctx, `CREATE TABLE bare (id TEXT PRIMARY KEY, body TEXT NOT NULL)`); err != nil {
		return 0, err
	}
	return p.rate(ctx, 2*scimUsers, func(i int) error {
		body, err := json.Marshal(scimUser(i))
		if err != nil {
			return err
		}
		_, err = db.ExecContext(ctx, `INSERT INTO bare (id, body) VALUES ($1, $2)`, fmt.Sprintf("user-%06d", i), string(body))
		return err
	})
}
