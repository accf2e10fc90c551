package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/observe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func operations(t *testing.T, why ...string) *Operations {
	t.Helper()
	site := &observe.Site{Name: "machine"}
	site.Done(observe.Denied, 3*time.Millisecond)
	o, err := New(Config{
		Version: "v1", Log: slog.New(slog.DiscardHandler), Hosts: []string{"metrics.example.test"},
		NotReady: func(context.Context) []string { return why },
		State: func() State {
			return State{
				Sites: []*observe.Site{site}, Workspaces: map[string]int{"running": 2}, Directory: Directory{AsOf: time.Now(), Users: 7},
				Access: access.Figures{
					Allowed: 5, Cached: 4, Defects: 1, Cuts: map[access.Code]int64{access.Disabled: 3}, Open: map[access.Open]int64{{Action: "repo:read", Principal: "user"}: 9},
					Refused: []access.Refusals{{Effect: "deny", Code: "no-role", Count: 6}},
				},
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func ask(o *Operations, path string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:9090"+path, nil)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	o.ServeHTTP(w, r)
	return w
}

func TestMetrics(t *testing.T) {
	w := ask(operations(t), "/metrics", nil)
	for _, line := range []string{
		`lanyard_requests_total{outcome="denied",site="machine"} 1`, `lanyard_requests_total{outcome="ok",site="machine"} 0`,
		`lanyard_request_duration_seconds_bucket{site="machine",le="0.0025"} 0`, `lanyard_request_duration_seconds_bucket{site="machine",le="0.005"} 1`,
		`lanyard_decisions_total{code="",effect="allow"} 5`, `lanyard_decisions_total{code="no-role",effect="deny"} 6`, `lanyard_decisions_cached_total 4`,
		`lanyard_leases_open{action="repo:read",principal="user"} 9`, `lanyard_cuts_total{code="account-disabled"} 3`, `lanyard_lease_defects_total 1`,
		`lanyard_workspaces{phase="running"} 2`, `lanyard_directory_users 7`, `go_goroutines `,
	} {
		if !strings.Contains(w.Body.String(), line) {
			t.Errorf("%q is missing", line)
		}
	}
	if w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
}

func TestReadiness(t *testing.T) {
	if w := ask(operations(t), "/readyz", nil); w.Code != 200 || w.Body.String() != "ready\n" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	o := operations(t, "the database does not answer")
	if w := ask(o, "/readyz", nil); w.Code != 503 || w.Body.String() != "the database does not answer\n" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	w := ask(o, "/readyz", func(r *http.Request) { r.Header.Set("Accept", "application/json") })
	var got struct {
		Ready   bool
		Reasons []string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Ready || len(got.Reasons) != 1 {
		t.Errorf("%v %+v", err, got)
	}
	if w := ask(o, "/healthz", nil); w.Code != 200 {
		t.Errorf("health: %d", w.Code)
	}
}

// What decides on health is the address and nothing that a request says of itself.
func TestAttack03NoHeaderOpensAnything(t *testing.T) {
	for _, agent := range []string{"GoogleHC/1.0", "kube-probe/1.30", "ELB-HealthChecker/2.0"} {
		w := ask(operations(t), "/", func(r *http.Request) { r.Header.Set("User-Agent", agent) })
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", agent, w.Code)
		}
	}
}

func TestAttack22OperationsUnderAForeignName(t *testing.T) {
	o := operations(t)
	for host, want := range map[string]int{
		"evil.example.test": 421, "evil.example.test:9090": 421, "localhost.evil.example.test": 421, "127.0.0.1.evil.example.test": 421,
		"127.0.0.1:9090": 200, "[::1]:9090": 200, "10.0.0.7": 200, "localhost": 200, "Metrics.example.test:9090": 200,
	} {
		if w := ask(o, "/metrics", func(r *http.Request) { r.Host = host }); w.Code != want {
			t.Errorf("%s: %d, want %d", host, w.Code, want)
		}
	}
	if w := ask(o, "/metrics", func(r *http.Request) { r.Header.Set("Origin", "http://evil.example.test") }); w.Code != 403 {
		t.Errorf("a page asks: %d", w.Code)
	}
}

type locked struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func TestRecords(t *testing.T) {
	out := &locked{}
	r := newRecords(out, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	q := &observe.Request{
		ID: "r1", Site: "machine", Method: "GET", Path: "/r/ledger/a b\n", Start: time.Now(), User: "u-1", Action: "app:call", Status: 200, Bytes: 9,
	}
	q.Reach(observe.Opened)
	for range 100 {
		r.add(q)
	}
	stop()
	running.Wait()
	lines := strings.Split(strings.TrimSuffix(out.buf.String(), "\n"), "\n")
	if len(lines) != 100 || r.Dropped() != 0 {
		t.Fatalf("%d lines, %d dropped", len(lines), r.Dropped())
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &got); err != nil {
		t.Fatal(err)
	}
	if got["msg"] != "request" || got["user"] != "u-1" || got["path"] != q.Path || got["bytes"] != 9.0 || got["opened_ms"] == nil || got["agent"] != nil || got["level"] != nil {
		t.Errorf("%v", got)
	}
}

func TestRecordsThatNobodyWritesAreBounded(t *testing.T) {
	r := newRecords(io.Discard, slog.New(slog.DiscardHandler))
	q := &observe.Request{Path: "/" + strings.Repeat("x", 64<<10), Start: time.Now()}
	for range 400 {
		r.add(q)
	}
	if r.Dropped() == 0 {
		t.Error("nothing was dropped")
	}
	size := 0
	for i := range r.shards {
		size += r.shards[i].buf.Len()
	}
	if size > recordShards*(maxWaiting+128<<10) {
		t.Errorf("%d bytes wait", size)
	}
}

func TestTraces(t *testing.T) {
	got := make(chan *v1.ExportTraceServiceRequest, 8)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		m := &v1.ExportTraceServiceRequest{}
		if err != nil || proto.Unmarshal(b, m) != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		got <- m
	}))
	defer collector.Close()
	traces, err := NewTraces(t.Context(), TracesConfig{Endpoint: collector.URL + "/v1/traces", Sample: 1, Version: "v1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	const inbound = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	for _, inside := range []bool{true, false} {
		sink := Sink{Traces: traces, Inside: func(*http.Request) bool { return inside }}
		r := httptest.NewRequest(http.MethodGet, "/r/ledger/entries?secret=1", nil)
		r.Header.Set("Traceparent", inbound)
		q := &observe.Request{Site: "machine", Method: "GET", Path: r.URL.Path, Start: time.Now(), User: "u-1"}
		sink.Begin(q, r)
		if parent := q.Trace.Parent(); !observe.ValidTraceparent(parent) || strings.Contains(parent, inbound[36:52]) || inside != strings.Contains(parent, inbound[3:35]) {
			t.Errorf("inside %v: %s", inside, parent)
		}
		q.Reach(observe.Identified)
		q.Reach(observe.Opened)
		q.Duration = time.Since(q.Start)
		sink.End(q)
	}
	if err := traces.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := <-got
	names := map[string]int{}
	for _, s := range all.ResourceSpans[0].ScopeSpans[0].Spans {
		names[s.Name]++
	}
	if names["GET machine"] != 2 || names["identify"] != 2 || names["open"] != 2 || names["connect"] != 0 || names["end"] != 2 {
		t.Errorf("%v", names)
	}
	if text := all.String(); strings.Contains(text, "secret") || strings.Contains(text, "u-1") {
		t.Error("a query or a person is in the trace")
	}
}

func TestRecordsToAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "requests.jsonl")
	r, closer, err := NewRecords(file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r.add(&observe.Request{ID: "r1", Start: time.Now()})
	r.write()
	if err := closer.Close(); err != nil {
		t.Fatal(err)
	}
	r.add(&observe.Request{ID: "r2", Start: time.Now()})
	r.write()
	if r.Dropped() != 1 {
		t.Errorf("%d dropped with the file closed", r.Dropped())
	}
	if _, _, err := NewRecords(filepath.Join(file, "below"), nil); err == nil {
		t.Error("no file, no error")
	}
}
