package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// serve answers on a Unix socket, as the server does for its operator.
func serve(t *testing.T, h http.Handler) *Remote {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	s.Start()
	t.Cleanup(s.Close)
	r := Socket(path)
	t.Cleanup(r.Close)
	return r
}

func TestNoServer(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "absent")
	left := filepath.Join(t.TempDir(), "left")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: left, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close() // a socket that a server left behind
	for _, path := range []string{absent, left} {
		r := Socket(path)
		_, err := r.Me(t.Context())
		if KindOf(err) != problem.Unavailable || !strings.Contains(err.Error(), "lanyard dev") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := r.Dev(t.Context()); KindOf(err) != problem.Unavailable {
			t.Errorf("%s: %v", path, err)
		}
		r.Close()
	}
}

func TestNotDev(t *testing.T) {
	r := serve(t, http.NotFoundHandler())
	if _, err := r.Dev(t.Context()); KindOf(err) != problem.Denied || !strings.Contains(err.Error(), "not `lanyard dev`") {
		t.Errorf("got %v", err)
	}
}

func TestUsers(t *testing.T) {
	i := DevInfo{Users: []DevUser{{Username: "ada"}, {Username: "joy@contoso.example"}}}
	for name, want := range map[string]string{"ada": "ada", "ADA": "ada", "joy": "joy@contoso.example", "joy@contoso.example": "joy@contoso.example"} {
		if u, err := i.User(name); err != nil || u.Username != want {
			t.Errorf("%s: %v %v", name, u, err)
		}
	}
	if _, err := i.User("eve"); problem.KindOf(err) != problem.Invalid || !strings.Contains(err.Error(), "ada, joy") {
		t.Errorf("got %v", err)
	}
}

// A stream that breaks in the middle is followed on, and no step is told twice.
func TestFollow(t *testing.T) {
	phase, streams := "creating", 0
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/workspaces/w-x", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(api.Workspace{ID: "w-x", Desired: "running", Phase: phase})
	})
	mux.HandleFunc("GET /api/v1/workspaces/w-x/events", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, ": \n\nevent: progress\ndata: {\"text\":\"one\"}\n\n")
		if streams++; streams == 1 {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		phase = "running"
		fmt.Fprint(w, "event: progress\ndata: {\"text\":\"two\"}\n\n")
	})
	var told []string
	w, err := serve(t, mux).Follow(t.Context(), "w-x", func(p api.Progress) { told = append(told, p.Text) })
	if err != nil || w.Phase != "running" || strings.Join(told, " ") != "one two" || streams != 2 {
		t.Errorf("got %v %v %v after %d streams", w, err, told, streams)
	}
}

// A server that goes away is waited for; one that stays away is told with what to do, and its address once.
func TestFollowOfAServerThatIsAway(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	var told []string
	r := &Remote{Client: &api.Client{URL: away.URL}}
	_, err := r.follow(t.Context(), "w-x", followAgain, func(p api.Progress) { told = append(told, p.Text) })
	if KindOf(err) != problem.Unavailable || strings.Count(problem.Message(err), away.URL) != 1 || !strings.Contains(problem.Message(err), "`lanyard logs w-x`") {
		t.Error(err)
	}
	if len(told) != 1 || !strings.Contains(told[0], "waiting for it") {
		t.Errorf("told: %q", told)
	}
}

func TestFollowIsTakenAway(t *testing.T) {
	r := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "event: closed\ndata: {\"reason\":\"the role has gone\",\"code\":\"no-role\"}\n\n")
	}))
	if _, err := r.Follow(t.Context(), "w-x", func(api.Progress) {}); KindOf(err) != problem.Denied || !strings.Contains(err.Error(), "the role has gone") {
		t.Errorf("got %v", err)
	}
}

// command plays the server's end of an exec.
func command(t *testing.T, play func(ctx context.Context, c *websocket.Conn, req agentapi.ExecRequest) error) *Remote {
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(1 << 21)
		_, first, err := c.Read(r.Context())
		var req agentapi.ExecRequest
		if err == nil {
			err = json.Unmarshal(first, &req)
		}
		if err == nil {
			err = play(r.Context(), c, req)
		}
		if err != nil {
			t.Error(err)
		}
	}))
}

func send(ctx context.Context, c *websocket.Conn, channel byte, data string) error {
	return c.Write(ctx, websocket.MessageBinary, append([]byte{channel}, data...))
}

func TestExecEnds(t *testing.T) {
	for _, last := range []struct {
		frame  string
		status int
		kind   problem.Kind
	}{
		{`{"code":0}`, 0, problem.Internal},
		{`{"code":7}`, 7, problem.Internal},
		{`{"code":0,"error":"no such program"}`, 0, problem.Invalid},
		{`{"error":"the role has gone","denied":true}`, 0, problem.Denied},
		{`{"error":"the tunnel broke","failed":true}`, 0, problem.Unavailable},
	} {
		r := command(t, func(ctx context.Context, c *websocket.Conn, req agentapi.ExecRequest) error {
			if req.Stdin || len(req.Argv) != 2 {
				t.Errorf("the request is %+v", req)
			}
			return errors.Join(send(ctx, c, agentapi.Stdout, "out"), send(ctx, c, agentapi.Stderr, "err"), send(ctx, c, agentapi.Exit, last.frame))
		})
		var out, errs bytes.Buffer
		status, err := r.Exec(t.Context(), "w-x", agentapi.ExecRequest{Argv: []string{"a", "b"}}, agentapi.Streams{Stdout: &out, Stderr: &errs})
		if status != last.status || KindOf(err) != last.kind || (err == nil) != (last.kind == problem.Internal) || out.String() != "out" || errs.String() != "err" {
			t.Errorf("%s: %d, %v, %q, %q", last.frame, status, err, &out, &errs)
		}
	}
}

func TestExecRefused(t *testing.T) {
	r := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, problem.New(problem.NotFound, "There is none."))
	}))
	if _, err := r.Exec(t.Context(), "w-x", agentapi.ExecRequest{Argv: []string{"a"}}, agentapi.Streams{}); KindOf(err) != problem.NotFound || err.Error() != "There is none." {
		t.Errorf("got %v", err)
	}
}

// A connection that ends before the command did is no exit status.
func TestExecCutShort(t *testing.T) {
	r := command(t, func(context.Context, *websocket.Conn, agentapi.ExecRequest) error { return nil })
	if _, err := r.Exec(t.Context(), "w-x", agentapi.ExecRequest{Argv: []string{"a"}}, agentapi.Streams{}); KindOf(err) != problem.Unavailable {
		t.Errorf("got %v", err)
	}
}

// Input larger than the window arrives whole, and never more of it is under way than the window.
func TestExecInput(t *testing.T) {
	const size = 5 << 20
	content := make([]byte, size)
	generator := rand.New(rand.NewPCG(1, 2))
	for i := range content {
		content[i] = byte(generator.Uint32())
	}
	r := command(t, func(ctx context.Context, c *websocket.Conn, req agentapi.ExecRequest) error {
		hash, unread, got := sha256.New(), 0, 0
		for {
			// Nothing is consumed until the sender has had time to run too far ahead, or waits.
			wait, cancel := context.WithTimeout(ctx, 20*time.Second)
			_, frame, err := c.Read(wait)
			cancel()
			if err != nil {
				return err
			}
			if len(frame) == 1 {
				break
			}
			hash.Write(frame[1:])
			got += len(frame) - 1
			if unread += len(frame) - 1; unread > agentapi.StdinWindow {
				return fmt.Errorf("%d bytes are under way", unread)
			}
			if unread > agentapi.StdinWindow-64<<10 {
				more := binary.BigEndian.AppendUint32(nil, uint32(unread)+5) // and more than that, which is not believed
				unread = 0
				if err := send(ctx, c, agentapi.Consumed, string(more)); err != nil {
					return err
				}
			}
		}
		if !req.Stdin || got != size || !bytes.Equal(hash.Sum(nil), sum(content)) {
			t.Errorf("%d bytes of input arrived, stdin %t", got, req.Stdin)
		}
		return send(ctx, c, agentapi.Exit, `{"code":0}`)
	})
	if status, err := r.Exec(t.Context(), "w-x", agentapi.ExecRequest{Argv: []string{"a"}}, agentapi.Streams{Stdin: bytes.NewReader(content)}); err != nil || status != 0 {
		t.Errorf("got %d, %v", status, err)
	}
}

func sum(b []byte) []byte {
	s := sha256.Sum256(b)
	return s[:]
}

// Input that fails in the middle ends the connection: the command must not take a part for the whole.
func TestExecInputFails(t *testing.T) {
	r := command(t, func(ctx context.Context, c *websocket.Conn, _ agentapi.ExecRequest) error {
		for {
			_, frame, err := c.Read(ctx)
			if err != nil {
				return nil
			}
			if len(frame) == 1 {
				return errors.New("the input ended as if it were whole")
			}
		}
	})
	broken := io.MultiReader(strings.NewReader("part"), failing{})
	if _, err := r.Exec(t.Context(), "w-x", agentapi.ExecRequest{Argv: []string{"a"}}, agentapi.Streams{Stdin: broken}); err == nil {
		t.Error("there is no error")
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, os.ErrClosed }
