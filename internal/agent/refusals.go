package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// refusalsFile is below the home folder: the connections and requests that were refused, a line each with the reason.
const refusalsFile = ".local/state/lanyard/egress.log"

const (
	maxRefusals  = 512 << 10        // bytes of the file; what comes then begins it anew, the old one stays beside it
	repeatsAfter = 10 * time.Second // the same refusal is written again
	maxRemember  = 256
)

// refusals is the workspace's own log of what it was refused.
type refusals struct {
	path string
	log  *slog.Logger

	mu   sync.Mutex
	last map[agentapi.Refusal]time.Time
}

func newRefusals(home string, log *slog.Logger) *refusals {
	return &refusals{path: filepath.Join(home, refusalsFile), log: log, last: map[agentapi.Refusal]time.Time{}}
}

// add writes a line, unless the same was written just now.
func (r *refusals) add(one agentapi.Refusal) {
	one.Target, one.Why = printable(one.Target), printable(one.Why)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if at, ok := r.last[one]; ok && now.Sub(at) < repeatsAfter {
		return
	}
	if len(r.last) >= maxRemember {
		clear(r.last)
	}
	r.last[one] = now
	r.log.Info("a connection was refused", "to", one.Target, "why", one.Why)
	if err := r.write(fmt.Sprintf("%s %s: %s\n", now.UTC().Format(time.RFC3339), one.Target, one.Why)); err != nil {
		r.log.Warn("the log of refused connections", "err", err)
	}
}

func (r *refusals) write(line string) error {
	if err := os.MkdirAll(filepath.Dir(r.path), 0o755); err != nil {
		return err
	}
	if info, err := os.Stat(r.path); err == nil && info.Size() > maxRefusals {
		if err := os.Rename(r.path, r.path+".1"); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(r.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// ofAnswer notes that Lanyard itself refused a request to an app or a registry. Some programs show nothing of such an answer, pip
// among them.
func (r *refusals) ofAnswer(answer *http.Response) {
	if kind := answer.Header.Get(problem.Header); kind == "" || answer.StatusCode/100 != 4 || answer.Body == nil {
		return
	}
	rest, ok := strings.CutPrefix(answer.Request.URL.Opaque, "/r/")
	if !ok {
		return
	}
	begin, err := io.ReadAll(io.LimitReader(answer.Body, 16<<10))
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(begin), answer.Body), answer.Body}
	if err != nil {
		return // whoever asked meets the same
	}
	why := strings.TrimSpace(string(begin))
	var d problem.Document
	if json.Unmarshal(begin, &d) == nil {
		why = d.Detail
	}
	if name, _, _ := strings.Cut(rest, "/"); why != "" {
		r.add(agentapi.Refusal{Target: name, Why: why})
	}
}

// ServeHTTP takes what the server says of a connection that it had given.
func (r *refusals) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	var one agentapi.Refusal
	if err := json.NewDecoder(http.MaxBytesReader(w, q.Body, 16<<10)).Decode(&one); err != nil {
		http.Error(w, "not a refusal: "+err.Error(), http.StatusBadRequest)
		return
	}
	r.add(one)
	w.WriteHeader(http.StatusNoContent)
}
