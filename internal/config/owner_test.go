package config_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/lanyardhq/lanyard/internal/config"
)

// The file that is open gets another owner, not what stands under its name by then.
func TestGiveLikeFollowsNoLink(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	dir := t.TempDir()
	make := func(name string) *os.File {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	owner := func(f *os.File) uint32 {
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Uid
	}
	like, victim, f := make("like"), make("victim"), make("new")
	if err := like.Chown(12345, 12345); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(f.Name()); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim.Name(), f.Name()); err != nil {
		t.Fatal(err)
	}
	if err := config.GiveLike(f, like.Name()); err != nil {
		t.Fatal(err)
	}
	if owner(f) != 12345 || owner(victim) != 0 {
		t.Errorf("the file is %d's, another's is %d's", owner(f), owner(victim))
	}
}
