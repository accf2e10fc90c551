package gitserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

// Repository is a repository as Seed makes it.
type Repository struct {
	Name    string // "payments/api"
	Commits []Commit
	// Requests are the branches that somebody asks to merge, by the numbers of the requests: refs/pull/N/head, as GitHub has it.
	Requests map[int]string
}

// Commit changes files.
type Commit struct {
	Author  string // "Ada Lovelace <ada@contoso.example>"
	At      time.Time
	Message string
	Branch  string            // empty: main
	Files   map[string]string // path to content
}

// Seed makes the repositories that are not there yet. What is there it leaves as it is.
func Seed(ctx context.Context, root string, repositories ...Repository) error {
	var made errgroup.Group
	for _, r := range repositories {
		made.Go(func() error {
			if err := create(ctx, root, r.Name, r.write); err != nil {
				return fmt.Errorf("make the repository %s: %w", r.Name, err)
			}
			return nil
		})
	}
	return made.Wait()
}

// SeedLarge makes a repository of about so many megabytes that cannot be compressed, unless it is there.
func SeedLarge(ctx context.Context, root, name string, megabytes int) error {
	err := create(ctx, root, name, func(w io.Writer) error { return writeLarge(w, megabytes) })
	if err != nil {
		return fmt.Errorf("make the repository %s: %w", name, err)
	}
	return nil
}

// create makes a bare repository from a fast-import stream, under another name first: an interrupted start leaves
// no half of one.
func create(ctx context.Context, root, name string, write func(io.Writer) error) error {
	dir := filepath.Join(root, name+".git")
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	partial, err := os.MkdirTemp(filepath.Dir(dir), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(partial)
	if err := layOut(partial); err != nil {
		return err
	}
	// Nothing is compressed: what is large cannot be, and for the rest it is not worth the time.
	if err := git(ctx, partial, write, "-c", "core.compression=0", "-c", "core.fsync=none", "fast-import", "--quiet", "--depth=0"); err != nil {
		return err
	}
	return os.Rename(partial, dir)
}

// layOut makes an empty bare repository (gitrepository-layout), as `git init --bare` does in its own process.
func layOut(dir string) error {
	for _, sub := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	for file, text := range map[string]string{
		"HEAD":   "ref: refs/heads/main\n",
		"config": "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// git runs git in dir. What write writes is its standard input.
func git(ctx context.Context, dir string, write func(io.Writer) error, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1"}
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	wrote := write(in)
	closed := in.Close()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, bytes.TrimSpace(said.Bytes()))
	}
	return errors.Join(wrote, closed)
}
