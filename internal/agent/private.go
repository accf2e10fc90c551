package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// privatePaths are what the private socket passes on: what makes tokens and starts AI agents must be out of reach for a
// browser in the workspace and for other users, so it is not at the loopback address.
var privatePaths = []string{"/token", "/agents", agentapi.OwnPrefix}

// listenPrivate makes the socket for the commands inside the workspace, which only the workspace's user may open.
func listenPrivate(dir string) (net.Listener, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("agent: the private folder: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("agent: the private folder: %w", err)
	}
	path := filepath.Join(dir, agentapi.PrivateSocket)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("agent: the private socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("agent: the private socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil { // until here the folder's mode kept others out
		listener.Close()
		return nil, fmt.Errorf("agent: the private socket: %w", err)
	}
	return listener, nil
}

// local serves what the agent itself answers to the commands in the workspace: the addresses that it shares with the server.
func (a *Agent) local() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/terminal/{name}", a.serveTerminal)
	a.shared(mux)
	return mux
}

// newPrivate returns the server on the private socket. What begins with /v1/ is for local, the agent's own part.
func newPrivate(forward, local http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/v1/") {
				local.ServeHTTP(w, r)
				return
			}
			if !private(r.RequestURI) {
				refuse(w, http.StatusNotFound, "Nothing is here. This socket serves "+strings.Join(privatePaths, ", ")+".")
				return
			}
			forward.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// private reports whether a request's target is one of privatePaths or below it, in so many bytes: what is passed on is what
// was judged.
func private(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	for _, p := range privatePaths {
		if path == p || strings.HasPrefix(path, p+"/") {
			return !strings.Contains(path, "..") && !strings.ContainsAny(path, "%\\;")
		}
	}
	return false
}
