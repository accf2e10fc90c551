// Package account is who somebody is to Lanyard from a machine of their own: the servers they have signed in to, the
// tokens they have there, and the key that those are bound to. It is an OAuth client (RFC 8252, RFC 8628) whose tokens are
// of no use without that key (RFC 9449).
package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Context is a server that somebody signed in to.
type Context struct {
	Name string    `json:"name"`
	URL  string    `json:"url"`
	Kept string    `json:"kept"` // where its secrets are: KeptByKeychain or KeptInFile
	At   time.Time `json:"at"`   // of the sign-in
}

// Store is what is kept on this machine: contexts in a file, and their secrets in the operating system's keychain or,
// where there is none, in files of mode 0600.
type Store struct {
	Dir      string // of Lanyard's configuration for this user
	Keychain bool   // try the keychain first
	HTTP     *http.Client
	Now      func() time.Time // nil: time.Now
}

// book is the file of contexts.
type book struct {
	Current  string    `json:"current"`
	Contexts []Context `json:"contexts"`
}

func (s *Store) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Store) file() string { return filepath.Join(s.Dir, "contexts.json") }

func (s *Store) read() (book, error) {
	if !filepath.IsAbs(s.Dir) { // what lies in the current folder may be anybody's
		return book{}, nil
	}
	text, err := os.ReadFile(s.file())
	if errors.Is(err, fs.ErrNotExist) {
		return book{}, nil
	}
	if err != nil {
		return book{}, fmt.Errorf("read the list of servers: %w", err)
	}
	var b book
	if err := json.Unmarshal(text, &b); err != nil {
		return book{}, problem.Wrap(err, problem.Invalid, "%s is not a list of servers (%v). Mend it, or remove it and sign in again.", s.file(), err)
	}
	return b, nil
}

// change changes the file of contexts, one process at a time.
func (s *Store) change(ctx context.Context, do func(*book) error) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return s.changeLocked(do)
}

// changeLocked is change while the lock is held.
func (s *Store) changeLocked(do func(*book) error) error {
	b, err := s.read()
	if err != nil {
		return err
	}
	if err := do(&b); err != nil {
		return err
	}
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return writePrivate(s.file(), append(text, '\n'))
}

const lockWithin = 30 * time.Second

// lock keeps other processes from refreshing the same tokens, each of which is good once.
func (s *Store) lock(ctx context.Context) (unlock func(), err error) {
	if !filepath.IsAbs(s.Dir) {
		return nil, problem.New(problem.Invalid, "There is no home folder to keep your sign-in in. Set HOME, or LANYARD_CONFIG_DIR to a folder of your own.")
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the list of servers: %w", err)
	}
	l := flock.New(filepath.Join(s.Dir, "lock"), flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(ctx, lockWithin)
	defer cancel()
	if ok, err := l.TryLockContext(ctx, 20*time.Millisecond); err != nil || !ok {
		return nil, fmt.Errorf("wait for another lanyard that holds %s: %w", l.Path(), errors.Join(err, ctx.Err()))
	}
	return func() { _ = l.Unlock() }, nil // closing it unlocks, too
}

// writePrivate replaces a file, in one step, by one that only its owner may read.
func writePrivate(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Contexts are all servers that somebody signed in to, and the name of the one that is used unless another is named.
func (s *Store) Contexts() (list []Context, current string, err error) {
	b, err := s.read()
	return b.Contexts, b.Current, err
}

// Find is the context of a name or an address; of an empty one the current context. Without any it returns nil.
func (s *Store) Find(name string) (*Context, error) {
	b, err := s.read()
	if err != nil {
		return nil, err
	}
	if name == "" {
		if name = b.Current; name == "" {
			return nil, nil
		}
	}
	if i := b.index(name); i >= 0 {
		return &b.Contexts[i], nil
	}
	var names []string
	for _, c := range b.Contexts {
		names = append(names, c.Name)
	}
	if len(names) == 0 {
		return nil, problem.New(problem.SignInNeeded, "You are signed in nowhere. Sign in first: lanyard login URL")
	}
	return nil, problem.New(problem.Invalid, "You are not signed in at %q; there are %s.", name, strings.Join(names, ", "))
}

func (b *book) index(name string) int {
	return slices.IndexFunc(b.Contexts, func(c Context) bool { return c.Name == name || c.URL == strings.TrimSuffix(name, "/") })
}

// Use makes a context the current one.
func (s *Store) Use(ctx context.Context, name string) error {
	if _, err := s.Find(name); err != nil {
		return err
	}
	return s.change(ctx, func(b *book) error {
		if i := b.index(name); i >= 0 {
			b.Current = b.Contexts[i].Name
		}
		return nil
	})
}

// keep adds a context, or replaces that of the same server, and makes it the current one.
func (s *Store) keep(ctx context.Context, c Context) error {
	return s.change(ctx, func(b *book) error {
		if i := b.index(c.URL); i >= 0 {
			c.Name = b.Contexts[i].Name
			b.Contexts[i] = c
		} else {
			for base, n := c.Name, 2; b.index(c.Name) >= 0; n++ {
				c.Name = fmt.Sprintf("%s-%d", base, n)
			}
			b.Contexts = append(b.Contexts, c)
		}
		b.Current = c.Name
		return nil
	})
}

// drop forgets a context and its secrets.
func (s *Store) drop(ctx context.Context, c Context) error {
	if err := s.forget(c); err != nil {
		return err
	}
	return s.change(ctx, func(b *book) error {
		b.Contexts = slices.DeleteFunc(b.Contexts, func(other Context) bool { return other.URL == c.URL })
		if b.Current == c.Name {
			b.Current = ""
			if len(b.Contexts) > 0 {
				b.Current = b.Contexts[0].Name
			}
		}
		return nil
	})
}

// Address checks the address of a server as it is typed, and completes it.
func Address(s string) (string, error) {
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(strings.TrimSuffix(s, "/"))
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "", problem.New(problem.Invalid, "%q is not the address of a server; write https://HOST.", s)
	}
	if host := u.Hostname(); u.Scheme == "http" && host != "127.0.0.1" && host != "::1" && host != "localhost" && !strings.HasSuffix(host, ".localhost") {
		return "", problem.New(problem.Invalid, "Lanyard is spoken to over https://; http:// is for a server on this machine.")
	}
	return strings.ToLower(u.Scheme + "://" + u.Host), nil
}
