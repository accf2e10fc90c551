package snapshot

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

type memory struct {
	rows   []Row
	events []audit.Event
}

func (m *memory) AddSnapshot(_ context.Context, r Row, e ...audit.Event) error {
	m.rows, m.events = append(m.rows, r), append(m.events, e...)
	return nil
}

func (m *memory) Snapshot(_ context.Context, id identity.SnapshotID) (Row, bool, error) {
	for _, r := range m.rows {
		if r.ID == id {
			return r, true, nil
		}
	}
	return Row{}, false, nil
}

func (m *memory) Snapshots(context.Context) ([]Row, error) { return slices.Clone(m.rows), nil }

func (m *memory) DropSnapshot(_ context.Context, id identity.SnapshotID, e ...audit.Event) (bool, error) {
	n := len(m.rows)
	m.rows = slices.DeleteFunc(m.rows, func(r Row) bool { return r.ID == id })
	m.events = append(m.events, e...)
	return len(m.rows) < n, nil
}

// checkout is a workspace's, as its agent gives it and takes it.
type checkout struct {
	pack   agentapi.Pack
	body   io.Reader
	order  agentapi.Unpack
	taken  string
	packed agentapi.Pack
}

func (c *checkout) Pack(context.Context, agentapi.PackOrder) (agentapi.Pack, io.ReadCloser, error) {
	return c.pack, io.NopCloser(c.body), nil
}

func (c *checkout) Unpack(_ context.Context, u agentapi.Unpack, p agentapi.Pack, pack io.Reader) (agentapi.Unpacked, error) {
	b, err := io.ReadAll(pack)
	c.order, c.packed, c.taken = u, p, string(b)
	return agentapi.Unpacked{}, err
}

var ada = identity.UserID{Tenant: "t", Object: "ada"}

func keeper(t *testing.T, limits Limits) (*Keeper, *memory, *time.Time) {
	m, now := &memory{}, time.Now()
	return New(Config{
		Dir: filepath.Join(t.TempDir(), "snapshots"), Node: "n", Rows: m, Limits: limits, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
	}), m, &now
}

func take(t *testing.T, k *Keeper, body string) (Row, *checkout, error) {
	c := &checkout{pack: agentapi.Pack{Commit: strings.Repeat("b", 40), Head: strings.Repeat("a", 40), Branch: "main", Format: "sha1"}, body: strings.NewReader(body)}
	row, err := k.Take(t.Context(), Row{Owner: ada, Workspace: "w-1", Name: "api", Note: "n"}, c, audit.Event{Action: "snapshot:create"})
	return row, c, err
}

func TestTakenAndRestored(t *testing.T) {
	k, m, now := keeper(t, Limits{Keep: time.Hour})
	row, c, err := take(t, k, "PACK\n\x00bytes")
	if err != nil || !row.Dirty || row.Commit != c.pack.Head || row.Branch != "main" || !strings.HasPrefix(row.Digest, "sha256:") {
		t.Fatalf("%+v %v", row, err)
	}
	if len(m.events) != 1 || m.events[0].Detail["digest"] != row.Digest {
		t.Errorf("%+v", m.events)
	}
	if err := k.Restore(t.Context(), row.ID, "other", c); err != nil {
		t.Fatal(err)
	}
	if c.taken != "PACK\n\x00bytes" || c.packed.Head != c.pack.Head || c.order != (agentapi.Unpack{Name: "other", Uncommitted: true, Keep: true}) {
		t.Errorf("%q %+v %+v", c.taken, c.packed, c.order)
	}
	info, err := os.Stat(k.file(row.ID))
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != row.Size {
		t.Errorf("%v %v", info, err)
	}
	*now = now.Add(2 * time.Hour)
	if _, found, _ := k.Get(t.Context(), row.ID); found {
		t.Error("expired, and there")
	}
	if err := k.Restore(t.Context(), row.ID, "late", c); problem.KindOf(err) != problem.NotFound {
		t.Error(err)
	}
	if err := k.Sweep(t.Context()); err != nil || len(m.rows) != 0 {
		t.Error(m.rows, err)
	}
	if _, err := os.Stat(k.file(row.ID)); !os.IsNotExist(err) {
		t.Error("the file is left")
	}
}

// TestAttack27SnapshotsAtOnceAreCounted: the bounds of what is kept hold however many are taken at once.
func TestAttack27SnapshotsAtOnceAreCounted(t *testing.T) {
	k, m, _ := keeper(t, Limits{Count: 1})
	read, write := io.Pipe()
	defer write.Close()
	first := make(chan error, 1)
	go func() {
		c := &checkout{pack: agentapi.Pack{Commit: strings.Repeat("b", 40), Origin: "https://evil.example.test"}, body: read}
		_, err := k.Take(t.Context(), Row{Owner: ada, Repository: "https://git.example.test/api"}, c, audit.Event{})
		first <- err
	}()
	if _, err := write.Write([]byte("PACK")); err != nil { // it is being taken
		t.Fatal(err)
	}
	if _, _, err := take(t, k, "x"); problem.KindOf(err) != problem.Conflict {
		t.Errorf("a second one at once: %v", err)
	}
	write.Close()
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	if _, _, err := take(t, k, "x"); problem.KindOf(err) != problem.TooLarge || len(m.rows) != 1 {
		t.Errorf("a second one after it: %v %d", err, len(m.rows))
	}
	back := &checkout{}
	if err := k.Restore(t.Context(), m.rows[0].ID, "api", back); err != nil || back.packed.Origin != "https://git.example.test/api" {
		t.Errorf("the origin is what the workspace said: %q %v", back.packed.Origin, err)
	}
	for i := range atOnce {
		if _, err := k.begin(identity.UserID{Tenant: "t", Object: string(rune('a' + i))}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.begin(ada); problem.KindOf(err) != problem.Unavailable {
		t.Errorf("more than a few at once: %v", err)
	}
	full, m, _ := keeper(t, Limits{Total: 3})
	m.rows = []Row{{Node: "n", Size: 3}}
	if _, _, err := take(t, full, "x"); problem.KindOf(err) != problem.Unavailable {
		t.Errorf("more than all may have: %v", err)
	}
}

// What was changed on the disk is not given to a workspace.
func TestChangedFileIsNotOpened(t *testing.T) {
	k, _, _ := keeper(t, Limits{})
	row, c, err := take(t, k, "PACK")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(k.file(row.ID))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(k.file(row.ID), bytes.Replace(b, []byte("PACK"), []byte("EVIL"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := k.Restore(t.Context(), row.ID, "api", c); err == nil || c.taken != "" {
		t.Errorf("%v %q", err, c.taken)
	}
}

func TestBounds(t *testing.T) {
	k, m, now := keeper(t, Limits{Size: 200, Count: 2})
	if _, _, err := take(t, k, strings.Repeat("x", 300)); problem.KindOf(err) != problem.TooLarge {
		t.Errorf("too large: %v", err)
	}
	broken := &checkout{pack: agentapi.Pack{Commit: strings.Repeat("b", 40)}, body: io.MultiReader(strings.NewReader("half"), failing{})}
	if _, err := k.Take(t.Context(), Row{Owner: ada}, broken, audit.Event{}); err == nil {
		t.Error("a part was taken for the whole")
	}
	if files, _ := os.ReadDir(k.c.Dir); len(files) != 0 || len(m.rows) != 0 {
		t.Errorf("left: %v %v", files, m.rows)
	}
	for want := range 3 {
		_, _, err := take(t, k, "x")
		if (problem.KindOf(err) == problem.TooLarge) != (want == 2) {
			t.Errorf("%d: %v", want, err)
		}
	}
	// A file that no row names is one that a server was killed over.
	if err := os.WriteFile(k.file("snap-orphan"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := k.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(k.c.Dir); len(files) != 3 {
		t.Errorf("a file that may be just being made was removed: %v", files)
	}
	*now = now.Add(2 * time.Hour)
	if err := k.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(k.c.Dir); len(files) != 2 {
		t.Errorf("left: %v", files)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
