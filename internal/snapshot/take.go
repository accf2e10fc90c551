package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// maxNote bounds what its owner says of a snapshot, in bytes.
const maxNote = 500

// Source gives a checkout as it is (agentapi.Client).
type Source interface {
	Pack(context.Context, agentapi.PackOrder) (agentapi.Pack, io.ReadCloser, error)
}

// Take keeps a copy of a checkout. of says whose and what; ID, digest, size and times are filled in. event is completed and
// stored with the row. A checkout that is too large, and one too many, are a problem.TooLarge.
func (k *Keeper) Take(ctx context.Context, of Row, from Source, event audit.Event) (Row, error) {
	if len(of.Note) > maxNote || !utf8.ValidString(of.Note) {
		return of, problem.New(problem.Invalid, "What is said of a snapshot is text of at most %d bytes.", maxNote)
	}
	done, err := k.begin(of.Owner)
	if err != nil {
		return of, err
	}
	defer done()
	if err := k.room(ctx, of.Owner); err != nil {
		return of, err
	}
	p, pack, err := from.Pack(ctx, agentapi.PackOrder{Name: of.Name, Message: "Not committed when the snapshot was taken"})
	if err != nil {
		return of, err
	}
	defer pack.Close()
	of.ID, of.Node = identity.NewSnapshotID(), k.c.Node
	of.Commit, of.Dirty, of.Branch = p.Head, p.Commit != p.Head, bounded(p.Branch, 250)
	if of.Size, of.Digest, err = k.write(of.ID, p, pack); err != nil {
		return of, err
	}
	of.Created = k.c.Now()
	of.Expires = of.Created.Add(k.c.Limits.Keep)
	event.Detail = map[string]any{"snapshot": of.ID.Fingerprint(), "size": of.Size, "digest": of.Digest}
	if err := k.c.Rows.AddSnapshot(ctx, of, event); err != nil {
		_ = os.Remove(k.file(of.ID)) // sweep finds what is left
		return of, err
	}
	return of, nil
}

// atOnce is how many are taken at once: each may fill the disk up to the bound of one.
const atOnce = 4

// begin takes the slot of a person, who has one, so that the count of room holds until the row is there, and one of all.
func (k *Keeper) begin(u identity.UserID) (done func(), err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.taking[u] {
		return nil, problem.New(problem.Conflict, "A snapshot of yours is being taken just now. Wait until it is there.")
	}
	if len(k.taking) >= atOnce {
		return nil, problem.New(problem.Unavailable, "%d snapshots are being taken just now, which is the most at once. Try again in a moment.", atOnce)
	}
	k.taking[u] = true
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.taking, u)
	}, nil
}

// room refuses one more than a person may have.
func (k *Keeper) room(ctx context.Context, u identity.UserID) error {
	all, err := k.c.Rows.Snapshots(ctx)
	if err != nil {
		return err
	}
	n, sum := 0, int64(0)
	for _, r := range all {
		if r.Owner == u {
			n++
		}
		if r.Node == k.c.Node {
			sum += r.Size
		}
	}
	if sum >= k.c.Limits.Total {
		return problem.New(problem.Unavailable, "The snapshots on this server have %d MiB together, which is the most that is kept. Delete one, or tell who runs Lanyard.", sum>>20)
	}
	if n >= k.c.Limits.Count {
		return problem.New(problem.TooLarge, "You have %d snapshots, which is the most that are kept. Delete one first: lanyard snapshot list, lanyard snapshot delete ID", n)
	}
	return nil
}

// write makes the file: the pack's head as a line of JSON, and the pack. It is whole under its name, or not there.
func (k *Keeper) write(id identity.SnapshotID, p agentapi.Pack, pack io.Reader) (size int64, digest string, err error) {
	if err := os.MkdirAll(k.c.Dir, 0o700); err != nil {
		return 0, "", kept(err)
	}
	f, err := os.CreateTemp(k.c.Dir, partial+"*")
	if err != nil {
		return 0, "", kept(err)
	}
	defer os.Remove(f.Name()) // of no effect once it has its name
	defer f.Close()
	head, err := json.Marshal(p)
	if err != nil {
		return 0, "", fmt.Errorf("keep a snapshot: %w", err)
	}
	sum := sha256.New()
	whole := io.MultiReader(strings.NewReader(string(head)+"\n"), pack)
	size, err = io.Copy(io.MultiWriter(f, sum), io.LimitReader(whole, k.c.Limits.Size+1))
	var told *problem.Error
	switch {
	case errors.As(err, &told):
		return 0, "", told
	case err != nil:
		return 0, "", kept(err)
	case size > k.c.Limits.Size:
		return 0, "", problem.New(problem.TooLarge, "The checkout with its history is more than %d MiB, which is the most that a snapshot holds. Ignored files are not part of one: .gitignore what can be made anew.", k.c.Limits.Size>>20)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return 0, "", kept(err)
	}
	if err := os.Rename(f.Name(), k.file(id)); err != nil {
		return 0, "", kept(err)
	}
	return size, "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// kept gives an error of the file system its words.
func kept(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return problem.Wrap(err, problem.Unavailable, "There is no room for the snapshot on the server's disk, so none was kept. Tell who runs Lanyard.")
	}
	return problem.Wrap(fmt.Errorf("keep a snapshot: %w", err), problem.Unavailable, "The snapshot could not be kept: the connection to the workspace broke, or the server's disk does not take it. Try again in a moment.")
}

const partial = ".part-"

func (k *Keeper) file(id identity.SnapshotID) string { return filepath.Join(k.c.Dir, string(id)) }

// bounded cuts text from a workspace.
func bounded(s string, most int) string {
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "")
	}
	return s
}
