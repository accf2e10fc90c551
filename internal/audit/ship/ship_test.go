package ship_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/audit/ship"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

// arrived is what a receiver got, by position.
type arrived struct {
	mu   sync.Mutex
	seqs map[int64]int
	odd  []string
}

func newArrived() *arrived { return &arrived{seqs: map[int64]int{}} }

func (a *arrived) add(seq int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seqs[seq]++
}

func (a *arrived) strange(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.odd = append(a.odd, fmt.Sprintf(format, args...))
}

func (a *arrived) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.seqs)
}

// logTo runs a log that is exported to receivers until the test ends.
func logTo(t *testing.T, db storetest.Database, receivers ...audit.Receiver) (*audit.Log, func()) {
	t.Helper()
	s := db.Open(t, "one")
	private, _, err := note.GenerateKey(rand.Reader, "lanyard.example.test/audit")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	l := audit.New(audit.Config{Rows: s, Signer: signer, Holder: "one", Receivers: receivers})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = l.Run(ctx) })
	stop := sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return l, stop
}

func write(t *testing.T, l *audit.Log, n int) {
	t.Helper()
	for i := range n {
		e := audit.Event{Action: "repo:write", Outcome: audit.Denied, Resource: "repo https://git.example.test/a]\"\x1b", IP: "192.0.2.7",
			User: audit.PersonOf(identity.UserID{Tenant: "contoso", Object: "ada"}, "Ada"), Detail: map[string]any{"n": i}}
		if err := l.Durable(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is not so: %s", what)
		}
	}
}

func receiver(t *testing.T, c ship.Config) audit.Receiver {
	t.Helper()
	r, err := ship.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if closer, ok := r.(io.Closer); ok {
		t.Cleanup(func() { closer.Close() })
	}
	return r
}

func onEach(t *testing.T, test func(*testing.T, storetest.Database)) {
	t.Run("SQLite", func(t *testing.T) { test(t, storetest.SQLite(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, storetest.OnPostgreSQL(t)) })
}

// collector takes OTLP/HTTP logs as a collector does: it knows the fields of ExportLogsServiceRequest and no others.
type collector struct {
	*arrived
	fail int // so many requests are answered with 503 after they were read, and not kept
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	type value struct {
		String *string `json:"stringValue"`
		Int    *string `json:"intValue"`
	}
	type attributes []struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	}
	var request struct {
		ResourceLogs []struct {
			Resource struct {
				Attributes attributes `json:"attributes"`
			} `json:"resource"`
			ScopeLogs []struct {
				Scope struct {
					Name    string `json:"name"`
					Version string `json:"version"`
				} `json:"scope"`
				LogRecords []struct {
					TimeUnixNano         string     `json:"timeUnixNano"`
					ObservedTimeUnixNano string     `json:"observedTimeUnixNano"`
					SeverityNumber       int        `json:"severityNumber"`
					SeverityText         string     `json:"severityText"`
					EventName            string     `json:"eventName"`
					Body                 value      `json:"body"`
					Attributes           attributes `json:"attributes"`
				} `json:"logRecords"`
			} `json:"scopeLogs"`
		} `json:"resourceLogs"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&request); err != nil || r.URL.Path != "/v1/logs" || r.Header.Get("Content-Type") != "application/json" {
		c.strange("%s %v", r.URL, err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if r.Header.Get("Authorization") != "Bearer secret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	c.mu.Lock()
	failing := c.fail > 0
	c.fail--
	c.mu.Unlock()
	if failing {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	for _, resource := range request.ResourceLogs {
		for _, scope := range resource.ScopeLogs {
			for _, record := range scope.LogRecords {
				var e audit.Event
				if record.Body.String == nil || json.Unmarshal([]byte(*record.Body.String), &e) != nil || e.User == nil || e.User.Name != "Ada" {
					c.strange("body %v", record.Body)
				}
				for _, a := range record.Attributes {
					if a.Key == "lanyard.seq" && a.Value.Int != nil && *a.Value.Int == strconv.FormatInt(e.Seq, 10) {
						c.add(e.Seq)
					}
					if a.Key == "user.id" && (a.Value.String == nil || *a.Value.String != "ada") {
						c.strange("user %v", a.Value)
					}
				}
				if _, err := strconv.ParseInt(record.TimeUnixNano, 10, 64); err != nil || record.SeverityText != "WARN" || record.EventName != e.Action {
					c.strange("record %+v", record)
				}
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"partialSuccess":{}}`)
}

// TestOTLP kills the collector and starts it again.
func TestOTLP(t *testing.T) {
	onEach(t, func(t *testing.T, db storetest.Database) {
		c := &collector{arrived: newArrived(), fail: 1}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := listener.Addr().String()
		serve := func(on net.Listener) *httptest.Server {
			s := httptest.NewUnstartedServer(c)
			s.Listener.Close()
			s.Listener = on
			s.Start()
			return s
		}
		server := serve(listener)
		r := receiver(t, ship.Config{Name: "siem", OTLP: "http://" + address + "/v1/logs", Bearer: func() (string, error) { return "secret", nil }})
		l, _ := logTo(t, db, r)
		write(t, l, 30)
		eventually(t, "the first ones are there", func() bool { return c.count() == 30 })
		server.CloseClientConnections()
		server.Close()
		write(t, l, 30)
		eventually(t, "the failure is seen", func() bool { x := l.Status().Exports[0]; return x.Problem != "" && x.Lag == 30 })
		if listener, err = net.Listen("tcp", address); err != nil {
			t.Fatal(err)
		}
		server = serve(listener)
		defer server.Close()
		eventually(t, "the rest is there", func() bool { return c.count() == 60 })
		eventually(t, "nothing lags", func() bool {
			x := l.Status().Exports[0]
			return x.Problem == "" && x.Lag == 0 && x.Position == 60 && x.Name == "siem"
		})
		if len(c.odd) > 0 {
			t.Error(c.odd)
		}
	})
}

// message is RFC 5424, with the structured data that Lanyard sends.
var message = regexp.MustCompile(`(?s)^<(\d+)>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [!-~]+ lanyard \d+ [!-~]{1,32} \[lanyard@32473( [a-z]+="(?:[^"\\\]]|\\["\\\]])*")+\] \x{FEFF}(\{.*\})$`)

// takeSyslog takes messages with octet counting until the connection ends.
func takeSyslog(conn net.Conn, a *arrived) {
	in := bufio.NewReader(conn)
	for {
		size, err := in.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(size, " "))
		if err != nil || n > 1<<20 {
			a.strange("size %q", size)
			return
		}
		text := make([]byte, n)
		if _, err := io.ReadFull(in, text); err != nil {
			return
		}
		m := message.FindSubmatch(text)
		var e audit.Event
		if m == nil || json.Unmarshal(m[3], &e) != nil || string(m[1]) != "108" || bytes.ContainsAny(text, "\x1b\n") {
			a.strange("message %q", text)
			return
		}
		a.add(e.Seq)
	}
}

// syslogServer listens at an address and takes messages; kill ends it with all connections.
func syslogServer(t *testing.T, network, address string, a *arrived) (at string, kill func()) {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			all.Go(func() { takeSyslog(conn, a) })
		}
	})
	kill = sync.OnceFunc(func() {
		listener.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	t.Cleanup(kill)
	return listener.Addr().String(), kill
}

// TestSyslog kills the server while events come, and starts it again.
func TestSyslog(t *testing.T) {
	onEach(t, func(t *testing.T, db storetest.Database) {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(network, func(t *testing.T) {
				db := db
				if network == "unix" {
					db = storetest.SQLite(t)
				}
				a := newArrived()
				folder, err := os.MkdirTemp("", "ly-") // short: sockets have short paths
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { os.RemoveAll(folder) })
				address := map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(folder, "s")}[network]
				at, kill := syslogServer(t, network, address, a)
				url := "tcp://" + at
				if network == "unix" {
					url = "unix://" + at
				}
				l, _ := logTo(t, db, receiver(t, ship.Config{Name: "box", Syslog: url, Settled: 500 * time.Millisecond}))
				for round := range 3 {
					write(t, l, 20)
					if round == 1 {
						eventually(t, "something is there", func() bool { return a.count() > 20 })
					}
					kill()
					write(t, l, 20)
					_, kill = syslogServer(t, network, at, a)
				}
				eventually(t, "all are there", func() bool { return a.count() == 120 })
				eventually(t, "nothing lags", func() bool { x := l.Status().Exports[0]; return x.Lag == 0 && x.Problem == "" })
				if len(a.odd) > 0 {
					t.Error(a.odd)
				}
			})
		}
	})
}

// TestFile appends lines that can be verified, and mends one that was cut short.
func TestFile(t *testing.T) {
	onEach(t, func(t *testing.T, db storetest.Database) {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		l, stop := logTo(t, db, receiver(t, ship.Config{Name: "file", File: path}))
		lines := func() []string {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil
			}
			return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		}
		write(t, l, 5)
		eventually(t, "five lines are there", func() bool { return len(lines()) == 5 })
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(`{"seq":5,"ti`)
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		write(t, l, 2)
		eventually(t, "the others are there", func() bool { return len(lines()) == 8 })
		stop()
		for n, line := range lines() {
			if want := map[int]int{5: -1, 6: 5, 7: 6}[n]; n > 4 && want >= 0 && !strings.HasPrefix(line, fmt.Sprintf(`{"seq":%d,`, want)) {
				t.Errorf("line %d is %s", n, line)
			}
		}
	})
}

// TestTLS refuses a syslog server whose certificate comes from nobody it knows.
func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	r := receiver(t, ship.Config{Name: "box", Syslog: "tls://" + server.Listener.Addr().String()})
	err := r.Send(t.Context(), []audit.Exported{{Event: audit.Event{Action: "x"}}})
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v", err)
	}
}
