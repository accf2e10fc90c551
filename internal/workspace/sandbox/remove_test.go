package sandbox

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// descriptors counts those of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// nest makes folders in one another, deeper than any path can name.
func nest(t *testing.T, in string, depth int) {
	t.Helper()
	at, err := unix.Open(in, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range depth {
		if err := unix.Mkdirat(at, "d", 0o700); err != nil {
			t.Fatal(err)
		}
		next, err := unix.Openat(at, "d", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		unix.Close(at)
		if err != nil {
			t.Fatal(err)
		}
		at = next
	}
	unix.Close(at)
}

// TestAttack30HostileTree: what a workspace leaves behind is removed whatever it is: nothing outside goes with it, and
// no depth takes the server's descriptors.
func TestAttack30HostileTree(t *testing.T) {
	parent := t.TempDir()
	outside := filepath.Join(parent, "outside")
	files := filepath.Join(parent, "w", "files")
	for _, dir := range []string{outside, filepath.Join(files, "sub", "locked", "inner"), filepath.Join(files, "many")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	kept := filepath.Join(outside, "kept")
	if err := os.WriteFile(kept, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{
		"sub/folder": outside, "sub/file": kept, "up": "../..", "root": "/", "self": ".", "dangling": "/nowhere", "sub/parent": "..",
	} {
		if err := os.Symlink(to, filepath.Join(files, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(kept, filepath.Join(files, "hard")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(files, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 2500 {
		if err := os.WriteFile(filepath.Join(files, "many", strconv.Itoa(i)), nil, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"\x1b[2J\n", "-rf", strings.Repeat("x", 255), "a\xffb"} {
		if err := os.Mkdir(filepath.Join(files, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	nest(t, files, 3000)
	for _, dir := range []string{"sub/locked/inner", "sub/locked", "sub", "many", ""} {
		if err := os.Chmod(filepath.Join(files, dir), 0); err != nil {
			t.Fatal(err)
		}
	}

	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = uint64(descriptors(t) + 16)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	err := removeTree(files)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatalf("%.300s", err)
	}
	left, err := os.ReadDir(filepath.Dir(files))
	if err != nil || len(left) != 0 {
		t.Errorf("%v are left, %v", left, err)
	}
	if content, err := os.ReadFile(kept); err != nil || string(content) != "kept" {
		t.Errorf("a file outside: %q, %v", content, err)
	}
}

// A removal that was interrupted is finished by the next; one of what is not there is none.
func TestRemovalIsFinished(t *testing.T) {
	dir := t.TempDir()
	files := filepath.Join(dir, "files")
	if err := os.MkdirAll(filepath.Join(files+".removed", "x", "y"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := removeTree(files); err != nil {
			t.Fatal(err)
		}
	}
	if err := removeTree(filepath.Join(dir, "gone", "files")); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v are left, %v", left, err)
	}
}
