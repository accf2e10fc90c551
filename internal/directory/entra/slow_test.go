package entra_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAnswersWithoutEnd: an answer that breaks off, that comes drop by drop, that never comes, or that has no end costs a
// bounded time and no more memory than a page may take; the change arrives all the same.
func TestAnswersWithoutEnd(t *testing.T) {
	flood := strings.Repeat(`{"id":"00000000-0000-4000-8000-000000000000"},`, 20_000)
	for name, fault := range map[string]http.HandlerFunc{
		"breaks off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, `{"value":[{"id":"u1","accountEnabled":false},`)
		},
		"drop by drop": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"value":[`)
			for r.Context().Err() == nil {
				fmt.Fprint(w, " ")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(5 * time.Millisecond)
			}
		},
		"never": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // so that the client's leaving is noticed
			<-r.Context().Done()
		},
		"without end": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"value":[`)
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, flood); err != nil {
					return
				}
			}
		},
		"something follows": status(200, "", `{"value":[],"@odata.deltaLink":"x"}{}`),
		"429 without end":   status(429, "Retry-After: 0", strings.Repeat("x", 1<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			f, config := newFakeGraph(t, 5)
			for range 40 {
				f.shake()
			}
			config.Sweep, config.Timeout = 10*time.Millisecond, 2*time.Second
			h := open(t, newRows(), config)
			h.ready(t)
			left := 1
			f.mu.Lock()
			f.fault = func(r *http.Request) http.HandlerFunc {
				if r.URL.Path != "/v1.0/groups/delta" || left == 0 {
					return nil
				}
				left--
				return func(w http.ResponseWriter, r *http.Request) {
					f.mu.Unlock() // the tenant goes on while this answer does not end
					defer f.mu.Lock()
					fault(w, r)
				}
			}
			f.mu.Unlock()
			for range 20 {
				f.shake()
			}
			eventually(t, "agreement with the tenant", func() bool { return cmp.Equal(f.rights(), h.rights()) })
			// What the groups' answer has nothing to do with may have agreed before it failed.
			eventually(t, "a failure that is counted", func() bool {
				s := h.source.State()
				return s.Failed+s.Throttled > 0 && s.Requests >= 5
			})
		})
	}
}
