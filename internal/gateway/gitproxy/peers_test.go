package gitproxy

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
)

// idleScene is a plainScene in which nothing may stand still for long.
func idleScene(t testing.TB, idle time.Duration, upstreamHandler http.HandlerFunc) (*gatewaytest.World, *httptest.Server) {
	t.Helper()
	s := &scene{World: gatewaytest.New(t, "repositories:\n  - url: https://git.example.test/payments/api\n")}
	behind := httptest.NewServer(upstreamHandler)
	t.Cleanup(func() { behind.CloseClientConnections(); behind.Close() })
	up := upstream.New(upstream.Config{
		Names: map[string]upstream.Address{"git.example.test": upstream.Address(behind.Listener.Addr().String())}, Log: s.Log,
	})
	t.Cleanup(up.Close)
	s.handler = New(Config{Access: s.Engine, Facts: s.Engine.Facts, Upstream: up, Log: s.Log, Idle: idle})
	return s.World, s.Serve(t, s.Workspace(gatewaytest.Ada), s.routes()...)
}

func closed(t *testing.T, w *gatewaytest.World) {
	t.Helper()
	gatewaytest.Eventually(t, "no lease is open", func() bool {
		n := 0
		w.Engine.Leases(func(*access.Lease) bool { n++; return true })
		return n == 0
	})
}

// TestUpstreamThatStalls is told of in words at each point of an answer, and holds nothing any longer.
func TestUpstreamThatStalls(t *testing.T) {
	for name, begin := range map[string]string{"before its answer": "", "in its head": pkt("NAK\n"), "in its pack": pkt("packfile\n", "\x01PACK")} {
		t.Run(name, func(t *testing.T) {
			world, server := idleScene(t, 300*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				if begin != "" {
					w.Header().Set("Content-Type", uploadPack.answerType())
					io.WriteString(w, begin)
					http.NewResponseController(w).Flush()
				}
				<-r.Context().Done()
			})
			body, _ := io.ReadAll(post(t, server, uploadPack, strings.NewReader(flushPacket)).Body)
			if !strings.HasPrefix(string(body), begin) || !strings.Contains(string(body), "nothing came for 300ms") {
				t.Errorf("the client is told %q", body)
			}
			closed(t, world)
		})
	}
}

// TestClientThatTakesNothing: the upstream's bytes are not kept for it, and its connection does not stay.
func TestClientThatTakesNothing(t *testing.T) {
	part := pkt("\x01" + strings.Repeat("x", 60_000))
	ended := make(chan struct{})
	world, server := idleScene(t, 500*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", uploadPack.answerType())
		for {
			if _, err := io.WriteString(w, part); err != nil {
				return
			}
		}
	})
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s/git-upload-pack HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: 4\r\n\r\n0000", repository, uploadPack.requestType())
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Fatal("the upstream still sends")
	}
	closed(t, world)
}

// TestAttack27LengthsThatLie: an upstream's packets that are no packets end the answer, with words where words fit.
func TestAttack27LengthsThatLie(t *testing.T) {
	for name, lie := range map[string]string{
		"longer than any":     "ffff\x01x",
		"shorter than itself": "0003",
		"not a number":        "00g0",
		"negative":            "-001",
		"not all of it":       "fff0\x01" + strings.Repeat("x", 1000),
		"half a length":       "00",
	} {
		t.Run(name, func(t *testing.T) {
			world, server := plainScene(t, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", uploadPack.answerType())
				io.WriteString(w, pkt("packfile\n", "\x01PACK")+lie)
			})
			body, err := io.ReadAll(post(t, server, uploadPack, strings.NewReader(flushPacket)).Body)
			if want := pkt("packfile\n", "\x01PACK") + string(appendBand(nil, bandError, "Lanyard: the upstream's answer broke off.")); string(body) != want || err == nil {
				t.Errorf("%q, %v", body, err)
			}
			closed(t, world)
		})
	}
}

func TestEndlessAdvertisement(t *testing.T) {
	ref := pkt(strings.Repeat("a", 40) + " refs/heads/" + strings.Repeat("x", 200) + "\n")
	endless := io.MultiReader(strings.NewReader(ref), &again{text: ref})
	var out bytes.Buffer
	rec := httptest.NewRecorder()
	rec.Body = &out
	a := newAnswer(rec, make([]byte, answerBuffer))
	a.most = 3 << 20
	if err := a.forward(endless, func(int64) {}); err == nil || a.over || out.Len() > 3<<20 {
		t.Errorf("%d bytes were passed on: %v", out.Len(), err)
	}
}

type again struct{ text, rest string }

func (a *again) Read(p []byte) (int, error) {
	if a.rest == "" {
		a.rest = a.text
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// TestAttack27RequestThatUnpacksToMore: a request that was compressed well does not become a larger one than Git makes.
func TestAttack27RequestThatUnpacksToMore(t *testing.T) {
	got := make(chan int64, 1)
	_, server := plainScene(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		got <- n
	})
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	line := strings.Repeat(pkt("have "+idA+"\n"), 1000)
	for range 2 * maxRequest / len(line) {
		io.WriteString(z, line)
	}
	z.Close()
	body, _ := io.ReadAll(post(t, server, uploadPack, &packed, "Content-Encoding", "gzip").Body)
	if !strings.Contains(string(body), "clone anew") {
		t.Errorf("the client is told %q", body)
	}
	if n := <-got; n > maxRequest {
		t.Errorf("the upstream was sent %d bytes", n)
	}
}

// TestClientThatGoesInTheMiddleOfAPush leaves nothing behind, and the upstream with a pack that is not whole.
func TestClientThatGoesInTheMiddleOfAPush(t *testing.T) {
	ended := make(chan error, 1)
	world, server := plainScene(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		ended <- err
	})
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST %s/git-receive-pack HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: 10000000\r\n\r\n%s%s",
		repository, receivePack.requestType(), pkt(idA+" "+idB+" refs/heads/main\x00report-status")+flushPacket, strings.Repeat("x", 1<<20))
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
	if err := <-ended; err == nil {
		t.Error("the upstream took the push for whole")
	}
	closed(t, world)
}

// TestMemoryDoesNotGrow: neither a large pack nor many packets are kept.
func TestMemoryDoesNotGrow(t *testing.T) {
	const megabytes = 200
	part := pkt("\x01" + strings.Repeat("x", 65_000))
	_, server := plainScene(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/payments/api/git-receive-pack" {
			w.Header().Set("Content-Type", receivePack.answerType())
			io.WriteString(w, flushPacket)
			return
		}
		w.Header().Set("Content-Type", uploadPack.answerType())
		for range megabytes << 20 / len(part) {
			io.WriteString(w, part)
		}
		io.WriteString(w, flushPacket)
	})
	most, stop := peak()
	push := io.MultiReader(strings.NewReader(pkt(idA+" "+idB+" refs/heads/main\x00report-status")+flushPacket),
		io.LimitReader(&again{text: part}, megabytes<<20))
	if resp := post(t, server, receivePack, push); resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
	n, err := io.Copy(io.Discard, post(t, server, uploadPack, strings.NewReader(flushPacket)).Body)
	stop()
	if n < megabytes<<20-1<<20 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if grew := most(); grew > 24<<20 {
		t.Errorf("the heap grew by %d MB for %d MB each way", grew>>20, megabytes)
	}
}

// peak watches how much the heap in use grows.
func peak() (most func() uint64, stop func()) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	begun, top := m.HeapInuse, m.HeapInuse
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-end:
				return
			case <-time.After(20 * time.Millisecond):
			}
			runtime.ReadMemStats(&m)
			top = max(top, m.HeapInuse)
		}
	}()
	return func() uint64 { return top - begun }, func() { close(end); <-done }
}
