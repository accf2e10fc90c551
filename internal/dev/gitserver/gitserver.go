// Package gitserver is a Git server of the sample world: real `git http-backend` processes behind a check of who
// calls. One kind takes only the person's own Entra token, and its log names the person; the other is of the old
// kind and wants a password. It listens on loopback only and keeps nothing but bare repositories and its log.
package gitserver

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// Caller is who a server takes a request to be from.
type Caller struct {
	ID   string // the object ID of a person; the user name of a password
	Name string // for the log
}

// Authenticator says who calls, or why the request is refused. Challenge is the WWW-Authenticate of a refusal.
type Authenticator interface {
	Caller(*http.Request) (Caller, error)
	Challenge() string
}

// Config makes a Server.
type Config struct {
	Root    string // folder of the repositories: {Root}/payments/api.git is served as /payments/api
	Hooks   string // folder that the server writes its hook into
	LogFile string // one line per operation
	Accept  Authenticator
	Log     *slog.Logger
}

// Server is an http.Handler that serves repositories.
type Server struct {
	c    Config
	git  string
	rate atomic.Int64 // bytes per second of an answer, and of a request; 0 is unlimited
	log  sync.Mutex   // lines of the log file stay whole
}

// New returns a Server for the repositories that are there and those that will come.
func New(c Config) (*Server, error) {
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("find git: %w", err)
	}
	if err := writeHook(c.Hooks); err != nil {
		return nil, fmt.Errorf("write the server's hook: %w", err)
	}
	return &Server{c: c, git: git}, nil
}

// Throttle slows every answer and what is read of every request, also those under way, to so many bytes per second; 0
// ends that.
func (s *Server) Throttle(bytesPerSecond int64) { s.rate.Store(bytesPerSecond) }

// address matches what is served; the names can be no option and lead to no other folder.
var address = regexp.MustCompile(`^/([a-z0-9][a-z0-9._-]*)/([a-z0-9][a-z0-9_-]*)(\.git)?/(info/refs|git-upload-pack|git-receive-pack)$`)

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	caller, err := s.c.Accept.Caller(r)
	if err != nil {
		s.c.Log.Info("git server: refused", "path", r.URL.Path, "why", err)
		w.Header().Set("WWW-Authenticate", s.c.Accept.Challenge())
		http.Error(w, "Sign in first.", http.StatusUnauthorized)
		return
	}
	m := address.FindStringSubmatch(r.URL.Path)
	if m == nil {
		http.NotFound(w, r)
		return
	}
	name := m[1] + "/" + m[2]
	if _, err := os.Stat(filepath.Join(s.c.Root, name+".git")); err != nil {
		http.NotFound(w, r)
		return
	}
	if r.URL.Query().Get("service") == "git-upload-pack" {
		s.note("fetch %s by %s <%s>", name, caller.Name, caller.ID)
	}
	s.backend(w, r, name, m[4], caller)
}

// backend runs git http-backend for one request.
func (s *Server) backend(w http.ResponseWriter, r *http.Request, name, operation string, caller Caller) {
	// Git may answer before the end of the request was read: a push that it refuses, and each answer whose process is
	// quicker than the reader that finds nothing after the request. Without full duplex Go's server would then read
	// the rest away from under the process.
	if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	in := r.Clone(r.Context())
	in.URL.Path = "/" + name + ".git/" + operation
	in.URL.RawPath = ""
	in.TransferEncoding = nil // net/http/cgi refuses chunked requests, though it would pass on this body well
	// Without a length it reads to the end of its input. With one, git http-backend waits for the rest for ever, at full speed,
	// when the input ends before: as it does when this server is killed.
	in.ContentLength = -1
	in.Header.Del("Content-Length")
	in.Header.Del("Authorization")
	in.Body = slowedBody{in.Body, &s.rate, r.Context().Done()}
	handler := cgi.Handler{
		Path: s.git, Args: []string{"http-backend"}, Dir: s.c.Root,
		Env: []string{
			"GIT_PROJECT_ROOT=" + s.c.Root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=" + caller.ID,
			"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_COUNT=4",
			"GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
			"GIT_CONFIG_KEY_1=core.hooksPath", "GIT_CONFIG_VALUE_1=" + s.c.Hooks,
			"GIT_CONFIG_KEY_2=uploadpack.allowFilter", "GIT_CONFIG_VALUE_2=true",
			"GIT_CONFIG_KEY_3=gc.auto", "GIT_CONFIG_VALUE_3=0",
			"SAMPLE_REPOSITORY=" + name, "SAMPLE_CALLER_NAME=" + caller.Name, "SAMPLE_CALLER_ID=" + caller.ID,
			"SAMPLE_LOG=" + s.c.LogFile,
		},
		Logger: slog.NewLogLogger(s.c.Log.Handler(), slog.LevelDebug),
		Stderr: logged{s.c.Log},
	}
	handler.ServeHTTP(&slowed{ResponseWriter: w, rate: &s.rate, done: r.Context().Done()}, in)
}

// note adds a line to the log file.
func (s *Server) note(format string, args ...any) {
	s.log.Lock()
	defer s.log.Unlock()
	f, err := os.OpenFile(s.c.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintf(f, time.Now().UTC().Format(time.RFC3339)+" "+format+"\n", args...)
		f.Close()
	}
	if err != nil {
		s.c.Log.Error("git server: write the log", "error", err)
	}
}

type logged struct{ log *slog.Logger }

func (l logged) Write(p []byte) (int, error) {
	l.log.Debug("git server", "stderr", string(p))
	return len(p), nil
}
