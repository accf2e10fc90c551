package entra_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/directory/entra"
)

// TestEveryLibertyOfDelta plays random lives of a tenant that says things twice, in other orders and in parts.
func TestEveryLibertyOfDelta(t *testing.T) {
	for seed := range uint64(12) {
		f, config := newFakeGraph(t, seed)
		for range 30 {
			f.shake()
		}
		h := open(t, newRows(), config)
		h.ready(t)
		for step := range 60 {
			if diff := cmp.Diff(f.rights(), h.rights()); diff != "" {
				t.Fatalf("seed %d, step %d (-tenant +directory):\n%s", seed, step, diff)
			}
			for range 1 + f.r.IntN(6) {
				f.shake()
			}
			must(t, h.source.Sync(t.Context()))
		}
		h.stop()
	}
}

func status(code int, header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if name, value, ok := strings.Cut(header, ": "); ok {
			w.Header().Set(name, value)
		}
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

// TestFaults: what Graph may answer instead of a page, and that the change arrives all the same.
func TestFaults(t *testing.T) {
	for name, fault := range map[string]http.HandlerFunc{
		"429 with Retry-After":         status(429, "Retry-After: 1", `{"error":{"code":"TooManyRequests"}}`),
		"503":                          status(503, "", "<html>gateway</html>"),
		"500":                          status(500, "", ""),
		"401":                          status(401, "", `{"error":{"code":"InvalidAuthenticationToken"}}`),
		"410 Gone":                     status(410, "Location: /v1.0/groups/delta?$deltatoken=", `{"error":{"code":"resyncRequired"}}`),
		"400 with syncStateNotFound":   status(400, "", `{"error":{"code":"syncStateNotFound","message":"The sync state generation is not found"}}`),
		"404 with SyncStateNotFound":   status(404, "", `{"error":{"code":"SyncStateNotFound"}}`),
		"a broken page":                status(200, "", `{"value":[{"id":`),
		"a page without a link":        status(200, "", `{"value":[]}`),
		"a link away from Graph":       status(200, "", `{"value":[],"@odata.nextLink":"http://attacker.example.test/v1.0/groups/delta"}`),
		"a redirect away from Graph":   status(302, "Location: http://attacker.example.test/", ""),
		"a redirect, the token unsent": status(307, "Location: http://127.0.0.1:1/", ""),
	} {
		t.Run(name, func(t *testing.T) {
			f, config := newFakeGraph(t, 5)
			for range 40 {
				f.shake()
			}
			config.Sweep = 10 * time.Millisecond
			h := open(t, newRows(), config)
			h.ready(t)
			left := 2
			f.mu.Lock()
			f.fault = func(r *http.Request) http.HandlerFunc {
				if r.URL.Path != "/v1.0/groups/delta" || left == 0 || r.URL.Query().Get("$deltatoken") == "" {
					return nil
				}
				left--
				return fault
			}
			f.mu.Unlock()
			for range 20 {
				f.shake()
			}
			eventually(t, "agreement with the tenant", func() bool { return cmp.Equal(f.rights(), h.rights()) })
			h.mu.Lock()
			defer h.mu.Unlock()
			if strings.Contains(h.log.String(), config.Secret) {
				t.Error("the secret is in the log")
			}
		})
	}
}

// TestOutage: said once when it begins and once when it ends; the directory stays, and its age stands still.
func TestOutage(t *testing.T) {
	f, config := newFakeGraph(t, 6)
	for range 40 {
		f.shake()
	}
	config.Sweep = 10 * time.Millisecond
	h := open(t, newRows(), config)
	h.ready(t)
	var refused atomic.Int32
	f.mu.Lock()
	f.fault = func(*http.Request) http.HandlerFunc { refused.Add(1); return status(503, "", "") }
	f.mu.Unlock()
	const down = "Graph cannot be read; the directory grows old"
	eventually(t, "the word of the outage", func() bool { return strings.Contains(h.log.String(), down) })
	before, rights := h.Snapshot().AsOf(), h.rights()
	eventually(t, "further attempts", func() bool { return refused.Load() > 12 })
	if !h.Snapshot().AsOf().Equal(before) || !cmp.Equal(rights, h.rights()) {
		t.Error("the directory or its age changed during the outage")
	}
	f.mu.Lock()
	f.fault = nil
	f.mu.Unlock()
	eventually(t, "a younger directory", func() bool { return h.Snapshot().AsOf().After(before) })
	eventually(t, "the word of its end", func() bool {
		_, after, _ := strings.Cut(h.log.String(), down)
		return strings.Count(after, `msg="Graph is read"`) == 1
	})
	if log := h.log.String(); strings.Count(log, down) != 1 {
		t.Errorf("the outage was said more than once:\n%s", log)
	}
}

// TestWrongSecret: the message says what the tenant says, never the secret.
func TestWrongSecret(t *testing.T) {
	f, config := newFakeGraph(t, 7)
	f.fault = func(r *http.Request) http.HandlerFunc {
		if r.URL.Path == "/token" {
			return status(401, "Content-Type: application/json", `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}`)
		}
		return nil
	}
	h := open(t, newRows(), config)
	eventually(t, "the reason in the log", func() bool { return strings.Contains(h.log.String(), "AADSTS7000215") })
	if strings.Contains(h.log.String(), config.Secret) {
		t.Error("the secret is in the log")
	}
}

// TestAssignmentsForbidden: where they may not be read, no group can be meant by its name, and all else works.
func TestAssignmentsForbidden(t *testing.T) {
	f, config := newFakeGraph(t, 8)
	for range 40 {
		f.shake()
	}
	f.fault = func(r *http.Request) http.HandlerFunc {
		if strings.HasSuffix(r.URL.Path, "/appRoleAssignedTo") {
			return status(403, "", `{"error":{"code":"Authorization_RequestDenied"}}`)
		}
		return nil
	}
	h := open(t, newRows(), config)
	h.ready(t)
	if len(h.Snapshot().AssignedGroups("Group g1")) != 0 || !cmp.Equal(f.rights(), h.rights()) {
		t.Error("assignments or rights are wrong")
	}
	f.mu.Lock()
	f.fault = nil
	f.mu.Unlock()
	must(t, h.source.Sync(t.Context()))
	if len(h.Snapshot().AssignedGroups("Group g1")) != 1 {
		t.Error("the assigned group was not learned")
	}
}

// TestAttack21TokenGoesToGraphAlone: neither a link of an earlier configuration, nor one in a page, nor a redirect
// leads our requests, and with them our token, anywhere else.
func TestAttack21TokenGoesToGraphAlone(t *testing.T) {
	var asked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) }))
	defer other.Close()
	f, config := newFakeGraph(t, 9)
	for range 40 {
		f.shake()
	}
	answers := []http.HandlerFunc{
		status(200, "", `{"value":[],"@odata.nextLink":"`+other.URL+`/v1.0/groups/delta"}`),
		status(200, "", `{"value":[],"@odata.nextLink":"`+strings.Replace(f.URL, "http://", "http://x@", 1)+`/v1.0/groups/delta"}`),
		status(302, "Location: "+other.URL+"/v1.0/groups/delta", ""),
		status(307, "Location: "+other.URL+"/v1.0/groups/delta", ""),
	}
	f.fault = func(r *http.Request) http.HandlerFunc {
		if r.URL.Path != "/v1.0/groups/delta" || len(answers) == 0 {
			return nil
		}
		next := answers[0]
		answers = answers[1:]
		return next
	}
	r := newRows()
	for _, k := range []string{"users", "groups"} {
		r.cursors["entra/"+string(tenant)+"/"+k] = other.URL + "/v1.0/" + k + "/delta?$deltatoken=1"
	}
	h := open(t, r, config)
	h.ready(t)
	if asked.Load() {
		t.Error("a request went elsewhere")
	}
	if !cmp.Equal(f.rights(), h.rights()) {
		t.Error("the directory was not read")
	}
}

func TestNewRefusesBadAddress(t *testing.T) {
	for _, address := range []string{"", "graph.example.test", "ftp://graph.example.test/v1.0", "https://"} {
		if _, err := entra.New(entra.Config{Graph: address}); err == nil {
			t.Errorf("the address %q was taken", address)
		}
	}
}
