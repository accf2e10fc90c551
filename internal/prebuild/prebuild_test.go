package prebuild

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
)

type memory struct {
	rows   []Row // newest first
	events []audit.Event
}

func (m *memory) PutPrebuild(_ context.Context, r Row, e ...audit.Event) error {
	m.events = append(m.events, e...)
	for i := range m.rows {
		if m.rows[i].ID == r.ID {
			m.rows[i] = r
			return nil
		}
	}
	m.rows = slices.Insert(m.rows, 0, r)
	return nil
}

func (m *memory) Prebuild(_ context.Context, id identity.PrebuildID) (Row, bool, error) {
	for _, r := range m.rows {
		if r.ID == id {
			return r, true, nil
		}
	}
	return Row{}, false, nil
}

func (m *memory) Prebuilds(context.Context) ([]Row, error) { return slices.Clone(m.rows), nil }

func (m *memory) DropPrebuild(_ context.Context, id identity.PrebuildID, e ...audit.Event) (bool, error) {
	n := len(m.rows)
	m.rows = slices.DeleteFunc(m.rows, func(r Row) bool { return r.ID == id })
	m.events = append(m.events, e...)
	return len(m.rows) < n, nil
}

type checkout struct{ taken string }

func (c *checkout) Unfold(_ context.Context, _ string, folded io.Reader) error {
	b, err := io.ReadAll(folded)
	c.taken = string(b)
	return err
}

const url = "https://git.example.test/a/b"

func keeper(t *testing.T) (*Keeper, *memory, *time.Time) {
	m, now := &memory{}, time.Now()
	return New(Config{
		Dir: filepath.Join(t.TempDir(), "prebuilds"), Node: "n", Rows: m, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
		Keep: func(_ identity.ProjectID, repository string) int { return map[string]int{url: 2}[repository] },
	}), m, &now
}

// keep keeps a prebuild that is done.
func keep(t *testing.T, k *Keeper, commit, ref string) Row {
	t.Helper()
	r := Row{ID: identity.NewPrebuildID(), Project: "p", Repository: url, Ref: ref, Commit: commit, State: Done, Created: k.c.Now(), Node: "n"}
	var err error
	if r.Size, r.Digest, err = k.Write(r.ID, strings.NewReader("made of "+commit)); err != nil {
		t.Fatal(err)
	}
	if r, err = k.Finish(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestKeptUntilItExpires(t *testing.T) {
	k, m, now := keeper(t)
	r := keep(t, k, "c1", "refs/heads/main")
	to := &checkout{}
	if err := k.Restore(t.Context(), r, "b", to); err != nil || to.taken != "made of c1" {
		t.Fatal(err, to.taken)
	}
	if usable, err := k.Of(t.Context(), "p", url); err != nil || len(usable) != 1 {
		t.Error(usable, err)
	}
	if other, err := k.Of(t.Context(), "p2", url); err != nil || len(other) != 0 {
		t.Error("another project's", other, err)
	}
	if other, err := k.Of(t.Context(), "p", url+"-fork"); err != nil || len(other) != 0 {
		t.Error("another repository's", other, err)
	}
	*now = now.Add(DefaultKeep + time.Hour)
	if usable, _ := k.Of(t.Context(), "p", url); len(usable) != 0 {
		t.Error("expired, and usable")
	}
	if err := k.Sweep(t.Context()); err != nil || len(m.rows) != 0 {
		t.Error(m.rows, err)
	}
	if _, err := os.Stat(k.file(r.ID)); !os.IsNotExist(err) {
		t.Error("the file is left")
	}
	if len(m.events) != 1 || m.events[0].Action != "prebuild:delete" {
		t.Errorf("%+v", m.events)
	}
	if err := k.Delete(t.Context(), r.ID, audit.Event{}); problem.KindOf(err) != problem.NotFound {
		t.Error(err)
	}
}

// What was changed on the disk is given to nobody.
func TestChangedFileIsNotUsed(t *testing.T) {
	k, _, _ := keeper(t)
	r := keep(t, k, "c1", "refs/heads/main")
	b, err := os.ReadFile(k.file(r.ID))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(k.file(r.ID), bytes.Replace(b, []byte("made"), []byte("evil"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	to := &checkout{}
	if err := k.Restore(t.Context(), r, "b", to); err == nil || to.taken != "" {
		t.Error(err, to.taken)
	}
}

func TestABranchKeepsItsNewest(t *testing.T) {
	k, m, now := keeper(t)
	for _, commit := range []string{"c1", "c2", "c3"} {
		keep(t, k, commit, "refs/heads/main")
		*now = now.Add(time.Second)
	}
	keep(t, k, "d1", "refs/heads/other")
	running := Row{ID: identity.NewPrebuildID(), Project: "p", Repository: "https://git.example.test/not/wanted", State: Running, Node: "n"}
	elsewhere := Row{ID: identity.NewPrebuildID(), Project: "p", Repository: "https://git.example.test/not/wanted", State: Done, Node: "other"}
	for _, r := range []Row{running, elsewhere} {
		if err := k.Put(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, r := range m.rows {
		left = append(left, r.Commit)
	}
	if slices.Sort(left); !slices.Equal(left, []string{"", "", "c2", "c3", "d1"}) {
		t.Errorf("left %q", left)
	}
}

// However much projects want, no more is kept than the limits say: of a branch, and of all.
func TestLimitsOfWhatIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		limits Limits
		want   []string
	}{
		"of a branch": {Limits{PerBranch: 1}, []string{"c3", "d1"}},
		"of all":      {Limits{Total: 20}, []string{"c3", "d1"}},
		"of one":      {Limits{Size: 3}, nil},
	} {
		k, m, now := keeper(t)
		k.c.Limits = c.limits.OrDefaults()
		if _, _, err := k.Write(identity.NewPrebuildID(), strings.NewReader("made")); (problem.KindOf(err) == problem.TooLarge) != (c.want == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if c.want == nil {
			continue
		}
		for _, commit := range []string{"c1", "c2", "c3"} {
			keep(t, k, commit, "refs/heads/main")
			*now = now.Add(time.Second)
		}
		keep(t, k, "d1", "refs/heads/other")
		if err := k.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, r := range m.rows {
			left = append(left, r.Commit)
			if _, err := os.Stat(k.file(r.ID)); err != nil {
				t.Error(err)
			}
		}
		if slices.Sort(left); !slices.Equal(left, c.want) {
			t.Errorf("%s: left %q", name, left)
		}
	}
}

func TestNearestIsWhatLedThere(t *testing.T) {
	parents := map[string][]string{"e": {"d", "x"}, "d": {"c"}, "c": {"b"}, "b": {"a"}, "x": {"a"}, "a": nil, "o": {"a"}}
	row := func(commit string, state State) Row {
		return Row{ID: identity.PrebuildID("pre-" + commit), Commit: commit, State: state}
	}
	for name, c := range map[string]struct {
		rows   []Row
		commit string
		want   identity.PrebuildID
	}{
		"itself":                         {[]Row{row("c", Done), row("e", Done)}, "e", "pre-e"},
		"the nearest":                    {[]Row{row("a", Done), row("c", Done)}, "e", "pre-c"},
		"through a merge":                {[]Row{row("x", Done), row("b", Done)}, "e", "pre-x"},
		"not what comes after":           {[]Row{row("e", Done)}, "c", ""},
		"not another branch's":           {[]Row{row("o", Done)}, "e", ""},
		"not one that failed":            {[]Row{row("e", Failed), row("d", Running), row("b", Done)}, "e", "pre-b"},
		"the newest of a commit":         {[]Row{{ID: "pre-new", Commit: "e", State: Done}, {ID: "pre-old", Commit: "e", State: Done}}, "e", "pre-new"},
		"nothing where nothing is known": {[]Row{row("a", Done)}, "z", ""},
	} {
		got, ok := Nearest(c.rows, c.commit, parents)
		if got.ID != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q", name, got.ID)
		}
	}
}
