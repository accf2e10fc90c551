package prebuild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

const partial = ".part-"

func (k *Keeper) file(id identity.PrebuildID) string { return filepath.Join(k.c.Dir, string(id)) }

// Write keeps what was made as the file of a prebuild: whole under its name, or not there.
func (k *Keeper) Write(id identity.PrebuildID, made io.Reader) (size int64, digest string, err error) {
	if err := os.MkdirAll(k.c.Dir, 0o700); err != nil {
		return 0, "", unkept(err)
	}
	f, err := os.CreateTemp(k.c.Dir, partial+"*")
	if err != nil {
		return 0, "", unkept(err)
	}
	defer os.Remove(f.Name()) // of no effect once it has its name
	defer f.Close()
	sum := sha256.New()
	size, err = io.Copy(io.MultiWriter(f, sum), io.LimitReader(made, k.c.Limits.Size+1))
	if err != nil {
		return 0, "", unkept(err)
	}
	if size > k.c.Limits.Size {
		return 0, "", problem.New(problem.TooLarge, "The checkout with what was made in it is more than %d MiB, which is the most that is kept of one.", k.c.Limits.Size>>20)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return 0, "", unkept(err)
	}
	if err := os.Rename(f.Name(), k.file(id)); err != nil {
		return 0, "", unkept(err)
	}
	return size, "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

func unkept(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return problem.Wrap(err, problem.Unavailable, "There is no room for the prebuild on the server's disk. Make room, and run it again.")
	}
	return problem.Wrap(fmt.Errorf("keep a prebuild: %w", err), problem.Unavailable, "The prebuild could not be kept: the connection to its workspace broke, or the server's disk does not take it.")
}

// Target takes a checkout (agentapi.Client).
type Target interface {
	Unfold(ctx context.Context, name string, folded io.Reader) error
}

// Restore makes the checkout of that name of what was kept. The file is used only if it is what was kept.
func (k *Keeper) Restore(ctx context.Context, row Row, name string, to Target) error {
	f, err := os.Open(k.file(row.ID))
	if errors.Is(err, fs.ErrNotExist) {
		return problem.Wrap(err, problem.Unavailable, "its file is not on this server any more")
	}
	if err != nil {
		return fmt.Errorf("open the prebuild %s: %w", row.ID, err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err = io.Copy(sum, f); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("read the prebuild %s: %w", row.ID, err)
	}
	if "sha256:"+hex.EncodeToString(sum.Sum(nil)) != row.Digest {
		return problem.New(problem.Unavailable, "its file is not what was kept")
	}
	return to.Unfold(ctx, name, f)
}
