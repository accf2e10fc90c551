package replicas

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/test/harness"
)

// postgres are the processes of the database's server: the first, and those that it started.
func (w *world) postgres() (first int, others []int) {
	w.Helper()
	u, err := url.Parse(w.database)
	if err != nil {
		w.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(u.Query().Get("host"), "data", "postmaster.pid"))
	if err != nil {
		w.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if first, err = strconv.Atoi(line); err != nil {
		w.Fatal(err)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", first))
	if err != nil {
		w.Fatal(err)
	}
	for _, pid := range strings.Fields(string(children)) {
		n, err := strconv.Atoi(pid)
		if err != nil {
			w.Fatal(err)
		}
		others = append(others, n)
	}
	return first, others
}

// signal sends a signal to all of the database's processes.
func (w *world) signalPostgres(sig syscall.Signal) {
	w.Helper()
	first, others := w.postgres()
	for _, pid := range append(others, first) {
		_ = syscall.Kill(pid, sig) // gone already is as good
	}
}

// answered is what was acknowledged, by the text that stands in its entry of the log.
type answered struct {
	mu     sync.Mutex
	whys   map[string]bool
	failed int
}

var loaded = regexp.MustCompile(`load-\d+-\d+-\d+\.`)

// TestDatabaseKilledAndPaused: under a load of grants at two replicas the database is killed, paused, and a replica
// is killed, again and again. What was acknowledged is in the log, whose proof holds; nobody who was revoked
// is let in anywhere.
func TestDatabaseKilledAndPaused(t *testing.T) {
	w := newWorld(t)
	rounds := 4
	if os.Getenv("LANYARD_SLOW") != "" {
		rounds = 50
	}
	a, b := w.start("a", options{}), w.start("b", options{})
	linus := w.signIn(b, "linus")
	if done, err := a.Operator.Revoke(w.context(), api.Revoke{Kind: api.RevokeUser, ID: "linus"}); err != nil || !done.Recorded {
		t.Fatalf("revoke: %+v, %v", done, err)
	}
	done := &answered{whys: map[string]bool{}}
	stopped := make(chan struct{})
	var load sync.WaitGroup
	for i, r := range []*replica{a, b} {
		for j := range 2 {
			load.Go(func() {
				operator := remote.Socket(filepath.Join(r.data, "lanyard.sock"))
				defer operator.Close()
				for n := 0; ; n++ {
					select {
					case <-stopped:
						return
					case <-time.After(20 * time.Millisecond):
					}
					why := fmt.Sprintf("load-%d-%d-%d.", i, j, n)
					_, err := operator.BreakGlass(t.Context(), api.BreakGlass{User: "alan", Project: "payments", Role: "viewer", Why: why, For: "1m"})
					done.mu.Lock()
					if err == nil {
						done.whys[why] = true
					} else {
						done.failed++
					}
					done.mu.Unlock()
				}
			})
		}
	}
	faults := []struct {
		name string
		do   func()
	}{
		{"the database killed", func() {
			_, others := w.postgres()
			_ = syscall.Kill(others[rand.N(len(others))], syscall.SIGKILL) // the first process then ends all and recovers
		}},
		{"the database paused", func() {
			w.signalPostgres(stop)
			time.Sleep(500*time.Millisecond + rand.N(3*time.Second))
			w.signalPostgres(cont)
		}},
		{"a replica killed", func() {
			r := []*replica{a, b}[rand.N(2)]
			r.end(syscall.SIGKILL)
			r.run()
		}},
	}
	for round := range rounds {
		time.Sleep(rand.N(time.Second))
		fault := faults[round%len(faults)]
		fault.do()
		began := time.Now()
		for _, r := range []*replica{a, b} {
			w.eventually(r.name+" records again after "+fault.name, func() bool {
				answer, err := r.Operator.Revoke(w.context(), api.Revoke{Kind: api.RevokeUser, ID: "alan"})
				return err == nil && answer.Recorded
			})
			if status, _ := w.get(r, linus, "/api/v1/me"); status == http.StatusOK {
				t.Errorf("after %s, %s lets in who was revoked", fault.name, r.name)
			}
		}
		t.Logf("MEASURED after %s, both replicas record again after %.2f s", fault.name, time.Since(began).Seconds())
	}
	close(stopped)
	load.Wait()
	total, failed := len(done.whys), done.failed
	missing := func() int {
		var log bytes.Buffer
		if err := a.Operator.ExportAudit(w.context(), &log); err != nil {
			t.Fatal(err)
		}
		for _, why := range loaded.FindAllString(log.String(), -1) {
			delete(done.whys, why)
		}
		return len(done.whys)
	}
	for end := time.Now().Add(harness.Wait); missing() > 0 && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
	}
	t.Logf("MEASURED %d grants were acknowledged, %d were not; %d of the former are missing from the log", total, failed, len(done.whys))
	if len(done.whys) > 0 || total < 10 {
		t.Error("something is lost")
	}
	v, err := a.Operator.VerifyAudit(w.context())
	if err != nil || !v.OK {
		t.Errorf("the audit log: %+v %v", v, err)
	}
}
