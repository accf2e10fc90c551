package serve

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/test/harness"
)

// checkOperations looks at the operations listener of a server that has just answered an operator, and at the records
// of its requests.
func checkOperations(t *testing.T, w *harness.World, port, operations int, records string) {
	t.Helper()
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	get := func(port int, path string) (int, string) {
		t.Helper()
		resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/debug/pprof/goroutine?debug=1": "goroutine profile"} {
		if status, text := get(operations, path); status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s: %d %.300s", path, status, text)
		}
		if status, text := get(port, path); status == http.StatusOK && strings.Contains(text, want) {
			t.Errorf("%s is served to everybody", path)
		}
	}
	_, metrics := get(operations, "/metrics")
	for _, name := range []string{
		`lanyard_requests_total{outcome="ok",site="operator"}`, `lanyard_decisions_total{code="",effect="allow"}`, "lanyard_directory_age_seconds", "lanyard_audit_log_size",
		"lanyard_store_transaction_seconds_count", "lanyard_feed_behind_seconds", "go_goroutines", "process_resident_memory_bytes",
	} {
		_, value, found := strings.Cut(metrics, "\n"+name+" ")
		if !found {
			t.Errorf("no %s in the metrics", name)
		} else if strings.HasSuffix(name, `site="operator"}`) && strings.HasPrefix(value, "0\n") {
			t.Errorf("the operator's request was not counted")
		}
	}
	if strings.Contains(metrics, `"u-`) || strings.Contains(metrics, `"ada`) || strings.Contains(metrics, "git.example.test") {
		t.Error("a person or an address is a label")
	}
	w.Eventually("the request has a record", func() bool {
		text, err := os.ReadFile(records)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var r struct {
				Msg, ID, Site, Path, Action, Outcome string
				Duration                             float64 `json:"duration_ms"`
			}
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if r.Site == "operator" && r.Path == "/api/v1/why" {
				if r.Outcome != "ok" || r.Action == "" || r.ID == "" || r.Duration <= 0 || strings.Contains(line, "git.example.test/payments/api") {
					t.Fatalf("the record is %s", line)
				}
				return true
			}
		}
		return false
	})
}
