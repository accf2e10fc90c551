package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/api"
)

const (
	// lookEvery is how often, at least, the server is asked which files there may be; lookRarely, where there are none.
	lookEvery  = 20 * time.Second
	lookRarely = 2 * time.Minute
	// lookWithin bounds one such look.
	lookWithin = 10 * time.Second
	// maxAnswer bounds an answer of the server, in bytes.
	maxAnswer = 1 << 20
)

// tokenFiles keeps what programs need that look for a token by themselves: files in memory with fresh tokens, or files that
// say how to ask, and the environment variables that name them. The project's file declares them; what may not be had any
// more is removed.
type tokenFiles struct {
	dir    string // in memory
	server http.RoundTripper
	log    *slog.Logger

	looking sync.Mutex // one look at a time
	tokens  map[string]time.Time
	refused map[string]bool // told once in the log

	mu  sync.Mutex // guards env
	env map[string]string
}

// newTokenFiles begins with an empty folder: what an earlier agent left belongs to an earlier session. Where the folder would
// not be in memory, there are no files, and nil is returned beside an error.
func newTokenFiles(dir string, server http.RoundTripper, log *slog.Logger) (*tokenFiles, error) {
	if err := inMemory(filepath.Dir(dir)); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("the folder of tokens: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the folder of tokens: %w", err)
	}
	return &tokenFiles{dir: dir, server: server, log: log, tokens: map[string]time.Time{}, refused: map[string]bool{}, env: map[string]string{}}, nil
}

// inMemory says why a folder is not on a file system in memory.
func inMemory(dir string) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return fmt.Errorf("the folder of tokens: %w", err)
	}
	if int64(s.Type) != unix.TMPFS_MAGIC && int64(s.Type) != unix.RAMFS_MAGIC {
		return fmt.Errorf("%s is not in memory, so no token is kept in a file", dir)
	}
	return nil
}

// variables are the environment variables that name the files.
func (f *tokenFiles) variables() map[string]string {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.env // replaced whole
}

// keep looks again and again until ctx ends.
func (f *tokenFiles) keep(ctx context.Context) {
	var last time.Time
	for ctx.Err() == nil {
		if len(f.variables()) > 0 || time.Since(last) > lookRarely { // a setup may have looked meanwhile
			f.look(ctx)
			last = time.Now()
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookEvery/2 + rand.N(lookEvery/2)): // not all workspaces at once
		}
	}
}

// look brings the files up to date. What cannot be asked now stays as it is, but no token for longer than it is good.
func (f *tokenFiles) look(ctx context.Context) {
	if f == nil {
		return
	}
	f.looking.Lock()
	defer f.looking.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	defer f.removeExpired()
	var list api.Page[api.TokenAudience]
	if err := f.ask(ctx, http.MethodGet, "/token/audiences", nil, &list); err != nil {
		if errors.Is(err, errRefused) {
			f.arrange(ctx, nil)
			return
		}
		f.log.Debug("token files", "err", err) // a server that is away is logged where the tunnel is kept
		return
	}
	f.arrange(ctx, list.Items)
}

// arrange makes the files of these audiences and removes all others.
func (f *tokenFiles) arrange(ctx context.Context, audiences []api.TokenAudience) {
	wanted, env := map[string]bool{}, map[string]string{}
	for _, a := range audiences {
		if a.File == nil || filepath.Base(a.Name) != a.Name {
			continue
		}
		e := entryFor(f.dir, a)
		if a.File.Holds {
			if err := f.fresh(ctx, a); err != nil {
				if !f.refused[a.Name] {
					f.log.Warn("no token for a file", "audience", a.Name, "err", err)
				}
				f.refused[a.Name] = true
				if errors.Is(err, errRefused) {
					continue
				}
			} else {
				delete(f.refused, a.Name)
			}
			wanted[a.Name] = true
		}
		if e.text != "" {
			wanted[e.file] = true
			if err := writeWhole(filepath.Join(f.dir, e.file), e.text); err != nil {
				f.log.Warn("a file for programs", "audience", a.Name, "err", err)
			}
		}
		e.addTo(env)
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		f.log.Warn("token files", "err", err)
	}
	for _, e := range entries {
		if !wanted[e.Name()] {
			f.remove(e.Name())
		}
	}
	f.mu.Lock()
	f.env = env
	f.mu.Unlock()
}

// fresh sees to it that a file holds a token that is good for at least three quarters of what its audience gives: programs
// keep what they read for some minutes.
func (f *tokenFiles) fresh(ctx context.Context, a api.TokenAudience) error {
	life := time.Duration(a.Seconds) * time.Second
	if end, there := f.tokens[a.Name]; there && time.Until(end) > life*3/4 {
		return nil
	}
	var t api.Token
	if err := f.ask(ctx, http.MethodPost, "/token", api.TokenOrder{Audience: a.Name}, &t); err != nil {
		return err
	}
	if err := writeWhole(filepath.Join(f.dir, a.Name), t.Token); err != nil {
		return err
	}
	f.tokens[a.Name] = t.Expires
	return nil
}

func (f *tokenFiles) removeExpired() {
	for name, end := range f.tokens {
		if time.Now().After(end) {
			f.remove(name)
		}
	}
}

func (f *tokenFiles) remove(name string) {
	delete(f.tokens, name)
	if err := os.Remove(filepath.Join(f.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.log.Warn("token files", "err", err)
	}
}

// errRefused says that the server answered, and with a no.
var errRefused = errors.New("refused")

func (f *tokenFiles) ask(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader = http.NoBody
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://lanyard"+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := f.server.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("%s %s: %s", method, path, answer.Status)
	case answer.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s: %w", method, path, answer.Status, errRefused)
	}
	return json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(out)
}

// writeWhole writes a file that readers see whole, the one before or this one.
func writeWhole(path, text string) error {
	fresh, err := os.CreateTemp(filepath.Dir(path), ".new-") // mode 0600
	if err != nil {
		return err
	}
	_, err = fresh.WriteString(text)
	if e := fresh.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(fresh.Name(), path)
	}
	if err != nil {
		_ = os.Remove(fresh.Name()) // the first error says it
	}
	return err
}
