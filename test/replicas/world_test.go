// Package replicas tests several `lanyard serve` processes on one PostgreSQL, behind a balancer, beside a tenant.
package replicas

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) {
	if order := os.Getenv(forwarding); order != "" {
		forward(order)
	}
	harness.Main(m)
}

const (
	secret   = "the-client-secret-of-a-test"
	projects = `project: payments
roles:
  developer: [payments-engineers]
  viewer: [payments-viewers]
repositories:
  - url: https://git.example.test/payments/api
    credential: {entra: "api://git/.default"}
`
	configuration = `url: %s
listen: 127.0.0.1:%d
data: %s
%s
encryption_key_file: %s
entra:
  tenant: %s
  client_id: %s
  credential: {secret_file: %s}
  authority: %s
  graph: %s
domains: {workspaces: localhost}
roles: {admin: [lanyard-admins], auditor: [lanyard-auditors]}
runtimes: {sandbox: {trusted_users_only: true}}
projects: %s
%s`
)

// world is an installation: a tenant, a database, a balancer, and servers as they are started.
type world struct {
	testing.TB
	dir      string
	url      string
	database string
	tenant   *entrasim.Tenant
	balancer *proxy
	keyFile  string
	replicas []*replica
}

// newWorld makes a world without servers.
func newWorld(t testing.TB) *world {
	t.Helper()
	harness.Need(t, "bwrap")
	dir, err := os.MkdirTemp("", "lr-") // short: sockets live below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, dir: dir, database: storetest.PostgreSQL(t)}
	w.balancer = newProxy(t, "tcp", "")
	w.url = fmt.Sprintf("http://lanyard.localhost:%d", w.balancer.port)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tenant := fmt.Sprintf("http://tenant.localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	w.tenant, err = entrasim.New(entrasim.Config{URL: tenant, Dial: server.Dial, Organisation: entrasim.Contoso(entrasim.Sample{
		RedirectURIs: []string{w.url + "/login/callback/entra"}, Secret: secret,
	})})
	if err != nil {
		t.Fatal(err)
	}
	serve := &http.Server{Handler: w.tenant, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = serve.Serve(listener)
	}()
	t.Cleanup(func() {
		serve.Close()
		<-done
		w.tenant.Close()
	})
	w.write("projects/payments.yaml", projects)
	w.write("keys/client-secret", secret)
	w.keyFile = w.write("keys/encryption.key", base64.StdEncoding.EncodeToString(token.NewSealingKey())+"\n")
	return w
}

func (w *world) write(name, text string) string {
	w.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	return path
}

// replica is one server.
type replica struct {
	w        *world
	name     string
	port     int
	config   string
	data     string
	log      harness.Buffer
	cmd      *exec.Cmd
	exited   chan struct{}
	Operator *remote.Remote
}

// options are what a replica differs in.
type options struct {
	database string // URL; the world's when empty
	key      string // file
	projects string // folder
	more     string // of the configuration
}

// sqlite in the place of a database's address is SQLite in the data folder.
const sqlite = "sqlite"

// start starts one more server and waits until it serves.
func (w *world) start(name string, o options) *replica {
	w.Helper()
	r := w.prepare(name, o)
	r.run()
	return r
}

// prepare writes the configuration of a server.
func (w *world) prepare(name string, o options) *replica {
	w.Helper()
	if o.database == "" {
		o.database = w.database
	}
	if o.key == "" {
		o.key = w.keyFile
	}
	if o.projects == "" {
		o.projects = filepath.Join(w.dir, "projects")
	}
	r := &replica{w: w, name: name, port: harness.FreePort(w), data: filepath.Join(w.dir, name)}
	authority, _, _ := strings.Cut(w.tenant.Issuer(), "/"+w.tenant.TenantID())
	database := "database_file: " + w.write("keys/database-"+name, o.database)
	if o.database == sqlite {
		database = ""
	}
	r.config = w.write(name+".yaml", fmt.Sprintf(configuration, w.url, r.port, r.data, database, o.key,
		w.tenant.TenantID(), entrasim.LanyardAppID, filepath.Join(w.dir, "keys", "client-secret"), authority, w.tenant.GraphURL(), o.projects, o.more))
	r.Operator = remote.Socket(filepath.Join(r.data, "lanyard.sock"))
	w.Cleanup(func() {
		r.Operator.Close()
		r.end(syscall.SIGTERM)
		if w.Failed() {
			w.Logf("the log of %s:\n%s", name, r.log.String())
		}
	})
	w.replicas = append(w.replicas, r)
	return r
}

// run starts the server's process, or starts it again.
func (r *replica) run() {
	w := r.w
	w.Helper()
	bin, err := harness.Programs()
	if err != nil {
		w.Fatal(err)
	}
	before := strings.Count(r.log.String(), "Lanyard serves")
	cmd := exec.Command(filepath.Join(bin, "lanyard"), "serve", "--config", r.config)
	cmd.Stderr = &r.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	exited, started := make(chan struct{}), make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig goes by the thread
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(exited)
	}()
	if err := <-started; err != nil {
		w.Fatal(err)
	}
	r.cmd, r.exited = cmd, exited
	w.eventually(r.name+" serves", func() bool {
		select {
		case <-exited:
			w.Fatalf("%s ended at its start:\n%s", r.name, r.log.String())
		default:
		}
		return strings.Count(r.log.String(), "Lanyard serves") > before
	})
}

// end ends the process with a signal and waits for it.
func (r *replica) end(sig syscall.Signal) {
	if r.cmd == nil {
		return
	}
	_ = r.cmd.Process.Signal(syscall.SIGCONT)
	_ = r.cmd.Process.Signal(sig) // gone already is as good
	select {
	case <-r.exited:
	case <-time.After(harness.Wait):
		_ = r.cmd.Process.Kill()
		<-r.exited
		r.w.Errorf("%s did not end when it was asked to", r.name)
	}
	r.cmd = nil
}

func (r *replica) signal(sig syscall.Signal) {
	r.w.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.w.Fatal(err)
	}
}

// leads reports whether the replica says that it does what one does for all.
func (r *replica) leads() bool {
	return strings.Count(r.log.String(), "this replica does alone\" work=installation") > strings.Count(r.log.String(), "another replica has taken over\" work=installation")
}

// says waits until the log has a text.
func (r *replica) says(text string) {
	r.w.Helper()
	r.w.eventually(r.name+" says "+text, func() bool { return strings.Contains(r.log.String(), text) })
}

// behind makes the balancer lead to a replica.
func (w *world) behind(r *replica) { w.balancer.lead(fmt.Sprintf("127.0.0.1:%d", r.port)) }

// signIn signs a sample user in at a replica.
func (w *world) signIn(r *replica, user string) *browser.Browser {
	w.Helper()
	w.behind(r)
	b := browser.New()
	w.Cleanup(b.Close)
	if err := b.SignIn(w.context(), w.url, user+"@contoso.example", "lanyard-"+user); err != nil {
		w.Fatalf("sign %s in at %s: %v", user, r.name, err)
	}
	return b
}

// get asks a replica as a browser, over a new connection.
func (w *world) get(r *replica, b *browser.Browser, path string) (int, string) {
	w.Helper()
	w.behind(r)
	b.HTTP().CloseIdleConnections()
	req, err := http.NewRequestWithContext(w.context(), http.MethodGet, w.url+path, nil)
	if err != nil {
		w.Fatal(err)
	}
	resp, err := b.HTTP().Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// stream is a long answer that is open at a replica.
type stream struct {
	mu    sync.Mutex
	text  strings.Builder
	ended chan struct{}
	at    time.Time
}

func (s *stream) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// stream opens a person's live list at a replica and waits for its beginning.
func (w *world) stream(r *replica, b *browser.Browser) *stream {
	w.Helper()
	w.behind(r)
	b.HTTP().CloseIdleConnections()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/api/v1/leases/events", nil)
	if err != nil {
		w.Fatal(err)
	}
	resp, err := b.HTTP().Do(req)
	if err != nil {
		w.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		w.Fatalf("the live list at %s answers %s", r.name, resp.Status)
	}
	s := &stream{ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		buffer := make([]byte, 4096)
		for {
			n, err := resp.Body.Read(buffer)
			s.mu.Lock()
			s.text.Write(buffer[:n])
			s.mu.Unlock()
			if err != nil {
				s.at = time.Now()
				return
			}
		}
	}()
	w.Cleanup(func() {
		cancel()
		<-s.ended
		resp.Body.Close()
	})
	w.eventually("the live list begins", func() bool { return s.String() != "" })
	return s
}

// closes waits for the end of a stream and returns when that was.
func (w *world) closes(s *stream) time.Time {
	w.Helper()
	select {
	case <-s.ended:
	case <-time.After(harness.Wait):
		w.Fatalf("the stream stays open; it said %s", s)
	}
	return s.at
}

func (s *stream) open() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

func (w *world) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), harness.Wait)
	w.Cleanup(cancel)
	return ctx
}

func (w *world) eventually(what string, holds func() bool) {
	w.Helper()
	for end := time.Now().Add(harness.Wait); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("never: %s", what)
		}
	}
}

// proxy passes connections on, and can be cut.
type proxy struct {
	port    int
	target  atomic.Pointer[string]
	network string
	broken  atomic.Bool
	mu      sync.Mutex
	open    map[net.Conn]struct{}
}

func newProxy(t testing.TB, network, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{port: l.Addr().(*net.TCPAddr).Port, network: network, open: map[net.Conn]struct{}{}}
	p.target.Store(&target)
	var parts sync.WaitGroup
	parts.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			parts.Go(func() { p.pass(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.cut()
		parts.Wait()
	})
	return p
}

func (p *proxy) lead(target string) { p.target.Store(&target) }

func (p *proxy) pass(c net.Conn) {
	defer c.Close()
	if p.broken.Load() {
		return
	}
	up, err := net.Dial(p.network, *p.target.Load())
	if err != nil {
		return
	}
	defer up.Close()
	p.mu.Lock()
	p.open[c], p.open[up] = struct{}{}, struct{}{}
	p.mu.Unlock()
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{c, up}, {up, c}} {
		both.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			pair[0].Close()
			pair[1].Close()
		})
	}
	both.Wait()
	p.mu.Lock()
	delete(p.open, c)
	delete(p.open, up)
	p.mu.Unlock()
}

// cut closes all connections and lets none through until mend.
func (p *proxy) cut() {
	p.broken.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.Close()
	}
}

func (p *proxy) mend() { p.broken.Store(false) }

// throughProxy is a way to the database that can be cut.
func (w *world) throughProxy() (address string, p *proxy) {
	w.Helper()
	u, err := url.Parse(w.database)
	if err != nil {
		w.Fatal(err)
	}
	q := u.Query()
	p = newProxy(w, "unix", filepath.Join(q.Get("host"), ".s.PGSQL.5432"))
	q.Set("host", "127.0.0.1")
	q.Set("port", fmt.Sprint(p.port))
	u.RawQuery = q.Encode()
	return u.String(), p
}

const (
	stop = syscall.SIGSTOP
	cont = syscall.SIGCONT
)

// rows asks the database for a number.
func (w *world) rows(query string) (n int) {
	w.Helper()
	db, err := sql.Open("pgx", w.database)
	if err != nil {
		w.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}
