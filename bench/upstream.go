package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/dev/gitserver"
)

// What the upstream takes, and what the gateway and its bare peer send to it.
const gitUser, gitPassword = "bench", "only-the-benchmark-knows"

// upstreamRole is what stands behind the gateway: an app with a small answer and one that never ends, and a Git server.
type upstreamRole struct{ servers }

// servers are the HTTP servers of a part, on loopback ports of their own.
type servers struct{ all []*http.Server }

func (s *servers) serve(h http.Handler) (address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	one := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	s.all = append(s.all, one)
	go func() { _ = one.Serve(l) }() // ends with close
	return l.Addr().String(), nil
}

func (s *servers) close() {
	for _, one := range s.all {
		one.Close()
	}
}

func (u *upstreamRole) methods() map[string]method {
	return map[string]method{
		"app": takes(func(context.Context, nothing) (string, error) { return u.serve(app()) }),
		"git": takes(u.git),
	}
}

// beat is how often the streams say a line whose end is waited for.
const beat = time.Second

// heartbeat is how often a stream says a line: most of what is open is idle most of the time.
const heartbeat = 10 * time.Second

// app answers 1 KiB, or streams a line at once and one at each heartbeat.
func app() http.Handler {
	small := strings.Repeat("x", 1024)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /small", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, small) // who asked is gone if this fails
	})
	mux.HandleFunc("GET /stream", func(w http.ResponseWriter, r *http.Request) { stream(w, r, heartbeat) })
	mux.HandleFunc("GET /beat", func(w http.ResponseWriter, r *http.Request) { stream(w, r, beat) })
	mux.HandleFunc("GET /ws", socket)
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) { // where a sign-in at a peer leads back to
		_, _ = io.WriteString(w, "signed in")
	})
	return mux
}

func stream(w http.ResponseWriter, r *http.Request, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if _, err := io.WriteString(w, "still open\n"); err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// socket is a WebSocket that says a line at each beat.
func socket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // behind the gateway its host is another
	if err != nil {
		return
	}
	defer c.CloseNow()
	ctx := c.CloseRead(r.Context())
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for c.Write(ctx, websocket.MessageText, []byte("still open")) == nil {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

type gitOrder struct {
	Folder    string
	Megabytes int
}

// repository is the one that is cloned.
const repository = "bench/large"

func (u *upstreamRole) git(ctx context.Context, o gitOrder) (string, error) {
	root := filepath.Join(o.Folder, "git")
	if err := gitserver.SeedLarge(ctx, root, repository, o.Megabytes); err != nil {
		return "", err
	}
	s, err := gitserver.New(gitserver.Config{
		Root: root, Hooks: filepath.Join(o.Folder, "hooks"), LogFile: filepath.Join(o.Folder, "git.log"),
		Accept: gitserver.Password{User: gitUser, Secret: gitPassword}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return "", err
	}
	return u.serve(s)
}
