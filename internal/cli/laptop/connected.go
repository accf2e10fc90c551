package laptop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Settings lead Git through the door for repositories, by their URLs.
func (d *Door) Settings(repositories []string) ([]Setting, error) {
	return through(d.URL, "", repositories, d.gitConfig())
}

// throughHelper are settings that lead Git to a server by its helper, which opens a door for each run: they name no port and no key,
// and so are nobody else's when they are left behind. Submodules go this way too, which Git by itself allows well-known schemes
// alone (git-config(1), protocol.allow): as their URLs would, they lead to servers that the person is signed in to.
func throughHelper(server string, repositories []string) ([]Setting, error) {
	return through(server, Scheme, repositories, []Setting{{"protocol." + strings.TrimSuffix(Scheme, "::") + ".allow", "always"}})
}

func through(at, scheme string, repositories []string, all []Setting) ([]Setting, error) {
	for _, repository := range repositories {
		address, err := Address(at, repository)
		if err != nil {
			return nil, err
		}
		all = append(all, Leading(repository, scheme+strings.TrimPrefix(address, Scheme))...)
	}
	return all, nil
}

// Environment is what tells a program of the door: Git by settings, others by its address and the header to send.
func (d *Door) Environment(environ []string, settings []Setting) []string {
	return append(WithGitConfig(environ, settings), "LANYARD_URL="+d.URL, "LANYARD_HEADER="+KeyHeader+": "+d.Key)
}

// Connected is what this user's programs are told while a door is open: Git by a file that the user's configuration of it includes.
// One is open at a time.
type Connected struct {
	dir    string
	global Clone // runs Git where no clone is
	lock   *flock.Flock
}

// Connect takes the place below a folder of the user's own.
func Connect(dir string, environ []string) (*Connected, error) {
	if !filepath.IsAbs(dir) {
		return nil, problem.New(problem.Invalid, "There is no home folder to tell Git of this in. Set HOME, or LANYARD_CONFIG_DIR to a folder of your own.")
	}
	c := &Connected{dir: filepath.Join(dir, "connect"), global: Clone{Dir: dir, Environ: environ}}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, err
	}
	c.lock = flock.New(filepath.Join(c.dir, "lock"), flock.SetPermissions(0o600))
	ok, err := c.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", c.lock.Path(), err)
	}
	if !ok {
		return nil, problem.New(problem.Invalid, "`lanyard connect` runs already. One serves all of this user's programs.")
	}
	return c, nil
}

// HeaderFile holds the header that shows the door's key, as curl reads it (-H @FILE).
func (c *Connected) HeaderFile() string { return filepath.Join(c.dir, "header") }

func (c *Connected) gitFile() string { return filepath.Join(c.dir, "gitconfig") }

// Tell writes what Git needs to know of the door's server, and others of the door.
func (c *Connected) Tell(ctx context.Context, d *Door, repositories []string) error {
	settings, err := throughHelper(d.c.URL, repositories)
	if err != nil {
		return err
	}
	var text strings.Builder
	text.WriteString("# Written by `lanyard connect`, and removed when it ends.\n")
	for _, s := range settings {
		text.WriteString(configText(s))
	}
	if err := errors.Join(
		private(c.HeaderFile(), KeyHeader+": "+d.Key+"\n"),
		private(c.gitFile(), text.String()),
	); err != nil {
		return fmt.Errorf("tell Git of the connection: %w", err)
	}
	_, err = c.global.git(ctx, "config", "--global", "--replace-all", "include.path", c.gitFile(), "^"+quoted(c.gitFile())+"$")
	return err
}

// Forget takes back what Tell said, and what one that was killed left. It lets the next one in.
func (c *Connected) Forget(ctx context.Context) error {
	_, err := c.global.git(ctx, "config", "--global", "--get", "include.path", "^"+quoted(c.gitFile())+"$")
	if err == nil {
		_, err = c.global.git(ctx, "config", "--global", "--unset-all", "include.path", "^"+quoted(c.gitFile())+"$")
	} else {
		err = nil // it is not there
	}
	for _, path := range []string{c.gitFile(), c.HeaderFile()} {
		if gone := os.Remove(path); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return errors.Join(err, c.lock.Unlock())
}

// private writes a file that only its owner may read, in one step.
func private(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// configText is a setting as a file of Git's holds it (git-config(1), Syntax).
func configText(s Setting) string {
	section, name := s.Key[:strings.IndexByte(s.Key, '.')], s.Key[strings.LastIndexByte(s.Key, '.')+1:]
	sub := s.Key[len(section)+1 : len(s.Key)-len(name)-1]
	return fmt.Sprintf("[%s \"%s\"]\n\t%s = \"%s\"\n", section, escapes.Replace(sub), name, escapes.Replace(s.Value))
}
