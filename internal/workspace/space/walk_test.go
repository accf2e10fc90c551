package space

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/workspace"
)

// A link that is put in a folder's place while it is counted leads nowhere.
func TestAttack30CountingFollowsNoLink(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(out, "large"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	d, l := filepath.Join(dir, "d"), filepath.Join(dir, "l")
	if os.Mkdir(d, 0o755) != nil || os.Symlink(out, l) != nil {
		t.Fatal("no folder to begin with")
	}
	stop, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, d, unix.AT_FDCWD, l, unix.RENAME_EXCHANGE)
			}
		}
	}()
	for n := range 1000 {
		if use := Of(t.Context(), []string{dir}, workspace.DiskUse{}); use.Bytes >= 1<<20 {
			t.Errorf("walk %d counted what lies outside: %+v", n, use)
			break
		}
	}
	close(stop)
	<-done
	if use := Of(t.Context(), []string{filepath.Join(dir, "d", "none"), d, l}, workspace.DiskUse{}); use.Files != 2 {
		t.Errorf("a folder and a link: %+v", use)
	}
}

const names = 20_000

// crowded is a folder of that many names, all of one file.
func crowded(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	first := filepath.Join(dir, "0")
	if err := os.WriteFile(first, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	for n := range names {
		if err := os.Link(first, fmt.Sprintf("%s/%0200d", dir, n+1)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// allocated is how many bytes of memory something takes, also if it gives them back.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// However many names there are, and however deep, counting takes little memory and few descriptors, and ends.
func TestAttack27CountingIsBounded(t *testing.T) {
	dir := crowded(t)
	if use := Of(t.Context(), []string{dir}, workspace.DiskUse{}); use.Files != 2 || use.More {
		t.Errorf("hard links: %+v", use)
	}
	few := func() { of(t.Context(), []string{dir}, workspace.DiskUse{}, bounds{names: 1000, depth: 1, linked: 1}) }
	if took := allocated(few); took > 2<<20 { // all the names are 4 MiB
		t.Errorf("%d bytes of memory for the first names of a folder", took)
	}
	at, bottom := t.TempDir(), 0
	top := at
	for ; bottom < 40; bottom++ {
		at = filepath.Join(at, "d")
		if err := os.Mkdir(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		path string
		b    bounds
		more bool
	}{
		{dir, bounds{names: names + 1, depth: 1, linked: 1}, false},
		{dir, bounds{names: names, depth: 1, linked: 1}, true},
		{dir, bounds{names: names + 1, depth: 1, linked: 0}, true},
		{top, bounds{names: 100, depth: bottom + 1}, false},
		{top, bounds{names: 100, depth: bottom}, true},
	} {
		if use := of(t.Context(), []string{c.path}, workspace.DiskUse{}, c.b); use.More != c.more {
			t.Errorf("%+v: %+v", c.b, use)
		}
	}
	if use := Of(t.Context(), []string{dir, top}, workspace.DiskUse{Files: 10}); use.Files != 11 {
		t.Errorf("it did not end as soon as it was enough: %+v", use)
	}
}

// Nor does an archive keep the names of a folder, and it ends at a depth.
func TestAttack27ArchivingIsBounded(t *testing.T) {
	dir := crowded(t)
	if took := allocated(func() {
		if err := Archive(t.Context(), dir, full{}); !errors.Is(err, io.ErrShortWrite) {
			t.Error(err)
		}
	}); took > 2<<20 {
		t.Errorf("%d bytes of memory for the first names of a folder", took)
	}
	at := t.TempDir()
	deep := at
	for range maxDepth + 10 {
		deep += "/d"
	}
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := Archive(t.Context(), at, &out); err != nil || !strings.Contains(out.String(), "it lies too deep") {
		t.Errorf("no end: %v", err)
	}
}

// full takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
