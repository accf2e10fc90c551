package laptop

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAttack22AKilledConnectLeavesNoAddress: whoever takes the port of a door that is gone is asked by nobody's Git.
func TestAttack22AKilledConnectLeavesNoAddress(t *testing.T) {
	home := t.TempDir()
	environ := []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1"}
	s := newServer(t)
	d, _ := open(t, s, "")
	const repository = "https://git.example.test/payments/api"
	c, err := Connect(filepath.Join(home, "lanyard"), environ)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Tell(t.Context(), d, []string{repository}); err != nil {
		t.Fatal(err)
	}
	d.Close()
	if err := c.lock.Unlock(); err != nil { // as the kernel does when it is killed
		t.Fatal(err)
	}

	port, err := url.Parse(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{c.gitFile(), filepath.Join(home, ".gitconfig")} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{port.Port(), d.Key, KeyHeader, "extraHeader"} {
			if strings.Contains(string(text), word) {
				t.Errorf("%s holds %s:\n%s", path, word, text)
			}
		}
	}
	git := Clone{Dir: home, Environ: environ}
	for _, args := range [][]string{{"ls-remote", "--get-url", repository}, {"ls-remote", "--get-url", repository + ".git"}} {
		if out, err := git.git(t.Context(), args...); err != nil || !strings.HasPrefix(out, Scheme+s.URL+GitPrefix+"git.example.test/payments/api") {
			t.Errorf("Git goes to %s (%v)", out, err)
		}
	}

	again, err := Connect(filepath.Join(home, "lanyard"), environ)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(home, "lanyard", "connect", "*")); err != nil || len(left) != 1 { // the lock
		t.Errorf("what is left: %v %v", left, err)
	}
	if out, err := git.git(t.Context(), "config", "--global", "--list"); err != nil || out != "" {
		t.Errorf("the configuration afterwards: %q %v", out, err)
	}
}
