package gitproxy

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/dev/gitserver"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/identity"
)

func TestCutInTheMiddleOfAClone(t *testing.T) {
	for _, version := range []string{"0", "2"} {
		t.Run("protocol "+version, func(t *testing.T) {
			s := newScene(t)
			if err := gitserver.SeedLarge(t.Context(), s.root, "payments/large", 6); err != nil {
				t.Fatal(err)
			}
			var moved atomic.Int64
			s.wrap(func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					h.ServeHTTP(&counting{ResponseWriter: w, n: &moved}, r)
				})
			})
			s.upstream.Throttle(512 << 10)
			c := newClient(t)
			var out bytes.Buffer
			clone := c.command(t.Context(), &out, "-c", "protocol.version="+version, "clone", "--progress", s.serve(t, gatewaytest.Ada)+"/payments/large")
			if err := clone.Start(); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Eventually(t, "the pack flows", func() bool { return moved.Load() > 256<<10 })
			if n := s.Leave(); n != 1 {
				t.Errorf("%d leases were cut", n)
			}
			begun := time.Now()
			err := clone.Wait()
			t.Logf("git ended %v after the cut:\n%s", time.Since(begun), lastLines(out.String()))
			if err == nil {
				t.Fatal("the clone was whole")
			}
			if !strings.Contains(out.String(), "Lanyard closed this: ") {
				t.Error("git does not say why")
			}
			gatewaytest.Eventually(t, "the end is in the audit log", func() bool { return len(s.Audit.Find(identity.RepoRead, audit.Cut)) > 0 })
			event := s.Audit.Find(identity.RepoRead, audit.Cut)[0]
			if event.Detail["want_count"] != 1 {
				t.Errorf("the audit event's detail is %v", event.Detail)
			}
			s.upstream.Throttle(0)
			s.Join()
			c.must("clone", "--quiet", s.serve(t, gatewaytest.Ada)+"/payments/large", "again")
		})
	}
}

func TestCutInTheMiddleOfAPush(t *testing.T) {
	s := newScene(t)
	c := newClient(t)
	c.must("clone", "--quiet", s.serve(t, gatewaytest.Ada)+"/payments/api", "api")
	large := make([]byte, 20<<20)
	rand.Read(large)
	c.write("api/large.bin", large)
	c.must("-C", "api", "add", "large.bin")
	c.must("-C", "api", "commit", "--quiet", "-m", "Add a recording")
	before := c.must("--git-dir", s.root+"/payments/api.git", "rev-parse", "main")

	var got atomic.Int64
	s.wrap(func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = struct {
				io.Reader
				io.Closer
			}{&slowReader{r: r.Body, n: &got}, r.Body}
			h.ServeHTTP(w, r)
		})
	})
	var out bytes.Buffer
	push := c.command(t.Context(), &out, "-C", "api", "push", "--progress")
	if err := push.Start(); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Eventually(t, "the pack flows", func() bool { return got.Load() > 1<<20 })
	s.Leave()
	begun := time.Now()
	err := push.Wait()
	t.Logf("git ended %v after the cut:\n%s", time.Since(begun), lastLines(out.String()))
	if err == nil {
		t.Fatal("the push was taken")
	}
	if !strings.Contains(out.String(), "Lanyard closed this: ") {
		t.Error("git does not say why")
	}
	if after := c.must("--git-dir", s.root+"/payments/api.git", "rev-parse", "main"); after != before {
		t.Errorf("the upstream moved from %s to %s", before, after)
	}
	gatewaytest.Eventually(t, "the end is in the audit log", func() bool { return len(s.Audit.Find(identity.RepoWrite, audit.Cut)) > 0 })
}

// TestManyLargeClonesAreWhole: Git's server answers before it has read the end of the request. A proxy in front of
// it that does not expect that cuts some of the answers short.
func TestManyLargeClonesAreWhole(t *testing.T) {
	s := newScene(t)
	const megabytes = 4
	if err := gitserver.SeedLarge(t.Context(), s.root, "payments/large", megabytes); err != nil {
		t.Fatal(err)
	}
	url := s.serve(t, gatewaytest.Ada) + "/payments/large"
	clones := 8 // a proxy without full duplex cuts 4 of 50; TestAnswerThatBeginsBeforeTheRequestEnds finds it at once
	if os.Getenv("LANYARD_SLOW") != "" {
		clones = 50
	}
	for range clones {
		c := newClient(t)
		c.must("clone", "--quiet", "--bare", url, "large")
		if n := c.must("-C", "large", "count-objects", "-v"); !strings.Contains(n, "in-pack: 7\n") {
			t.Fatalf("a clone holds %s", n)
		}
		if err := exec.Command("rm", "-rf", c.dir+"/large").Run(); err != nil {
			t.Fatal(err)
		}
	}
}

type counting struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.n.Add(int64(n))
	return n, err
}

func (c *counting) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// slowReader reads about 4 MB a second.
type slowReader struct {
	r io.Reader
	n *atomic.Int64
}

func (s *slowReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p[:min(len(p), 8<<10)])
	s.n.Add(int64(n))
	time.Sleep(2 * time.Millisecond)
	return n, err
}

func lastLines(s string) string {
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(s, "\r", "\n")), "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}
