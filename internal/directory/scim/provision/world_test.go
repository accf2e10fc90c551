package provision_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/directory/scim/provision"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tenant = "11111111-1111-1111-1111-111111111111"

// Object IDs of people and groups.
const (
	ada      = "0a0a0a0a-0000-4000-8000-000000000001"
	bo       = "0a0a0a0a-0000-4000-8000-000000000002"
	payments = "0b0b0b0b-0000-4000-8000-000000000001"
)

func userID(object string) identity.UserID   { return identity.UserID{Tenant: tenant, Object: object} }
func groupID(object string) identity.GroupID { return identity.GroupID{Tenant: tenant, Object: object} }

// world is a service on a database, with the directory that it changes.
type world struct {
	t         *testing.T
	db        storetest.Database
	store     *store.Store
	directory *directory.Directory
	service   *provision.Service
	server    *httptest.Server
	secret    string
	leads     atomic.Bool
	client    *http.Client

	mu     sync.Mutex
	events []audit.Event
}

type change func(*provision.Config)

// onBoth runs a test on both databases.
func onBoth(t *testing.T, test func(*testing.T, storetest.Database)) {
	t.Run("SQLite", func(t *testing.T) { test(t, storetest.SQLite(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, storetest.OnPostgreSQL(t)) })
}

func newWorld(t *testing.T, db storetest.Database, changes ...change) *world {
	t.Helper()
	w := &world{t: t, db: db, store: db.Open(t, "one"), client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(w.client.CloseIdleConnections)
	w.leads.Store(true)
	w.directory = directory.New(directory.Config{Rows: w.store, Publish: func(*directory.Snapshot, directory.Touched, feed.Seq) {}})
	t.Cleanup(w.directory.Close)
	if err := w.directory.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.service, w.server = w.serve(w.store, w.directory, changes...)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.service.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	_, secret, err := w.service.CreateCredential(t.Context(), provision.NewCredential{Name: "entra", Kind: provision.Bearer, By: "operator"})
	if err != nil {
		t.Fatal(err)
	}
	w.secret = secret
	return w
}

func (w *world) serve(rows provision.Rows, d provision.Directory, changes ...change) (*provision.Service, *httptest.Server) {
	w.t.Helper()
	sealer, err := token.NewSealer(bytes.Repeat([]byte{7}, token.SealingKeySize))
	if err != nil {
		w.t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	c := provision.Config{
		Rows: rows, Tenant: tenant, URL: "http://" + server.Listener.Addr().String(), Directory: d, Leads: w.leads.Load, Sealer: sealer,
		Audit: func(e audit.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
		Log: slog.New(slog.NewTextHandler(testWriter{w.t}, nil)),
	}
	for _, change := range changes {
		change(&c)
	}
	s := provision.New(c)
	if err := s.Load(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	h, err := s.Site().Handler(web.Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	server.Config.Handler = h
	server.Start()
	w.t.Cleanup(server.Close)
	return s, server
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func members(c *provision.Config) { c.Members = true }

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

// id is the answered resource's.
func (a answer) id() string { return text(a.body, "id") }

func text(doc map[string]any, key string) string {
	s, _ := doc[key].(string)
	return s
}

// do sends a request; header holds names and values.
func (w *world) do(method, path string, body any, header ...string) answer {
	w.t.Helper()
	return w.at(w.server.URL, method, path, body, header...)
}

func (w *world) at(base, method, path string, body any, header ...string) answer {
	w.t.Helper()
	var sent io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		sent = strings.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		sent = bytes.NewReader(encoded)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, base+path, sent)
	if err != nil {
		w.t.Fatal(err)
	}
	if sent != nil {
		r.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	r.Header.Set("Authorization", "Bearer "+w.secret)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, text: string(b)}
	if len(b) > 0 {
		if err := json.Unmarshal(b, &a.body); err != nil {
			w.t.Errorf("%s %s: the answer is no JSON: %s", method, path, b)
		}
	}
	return a
}

// want sends a request that must have this status.
func (w *world) want(status int, method, path string, body any, header ...string) answer {
	w.t.Helper()
	a := w.do(method, path, body, header...)
	if a.status != status {
		w.t.Fatalf("%s %s: %d, want %d: %s", method, path, a.status, status, a.text)
	}
	return a
}

type object = map[string]any

const (
	userSchema  = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupSchema = "urn:ietf:params:scim:schemas:core:2.0:Group"
	patchSchema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

func (w *world) user(name, external string) string {
	w.t.Helper()
	return w.want(201, "POST", "/scim/v2/Users", object{"schemas": []string{userSchema}, "userName": name, "externalId": external, "active": true, "displayName": strings.ToUpper(name)}).id()
}

func (w *world) group(name, external string) string {
	w.t.Helper()
	return w.want(201, "POST", "/scim/v2/Groups", object{"schemas": []string{groupSchema}, "displayName": name, "externalId": external}).id()
}

func patchOf(ops ...object) object {
	return object{"schemas": []string{patchSchema}, "Operations": ops}
}

// eventually waits for something that follows.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after 30 s", what)
		}
	}
}

// graph puts people into the directory as the other source does.
func (w *world) graph(c directory.Change) {
	w.t.Helper()
	c.AsOf = time.Now()
	if err := w.directory.Apply(w.t.Context(), c, "test"); err != nil {
		w.t.Fatal(err)
	}
}
