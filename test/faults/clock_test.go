package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// clock is the wall clock of a program that was built with it. The monotonic clock stays what it is, as when a machine's
// clock is set.
type clock struct {
	program string // lanyard with that clock
	file    string // how far it is off, in seconds
}

// The clock is a patched time.Now, laid over Go's own by the build: the kernel's clock is the whole machine's.
const (
	now     = "\tsec, nsec, mono := runtimeNow()\n\tif mono == 0 {"
	stepped = "\tsec, nsec, mono := runtimeNow()\n\tsec += steppedBy.Load()\n\tif mono == 0 {"
	stepper = `package time

import (
	"sync/atomic"
	"syscall"
)

var steppedBy atomic.Int64

func init() {
	path, ok := syscall.Getenv("LANYARD_TEST_CLOCK")
	if !ok {
		return
	}
	read := func() {
		fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			return
		}
		var b [32]byte
		n, _ := syscall.Read(fd, b[:])
		syscall.Close(fd)
		by, sign := int64(0), int64(1)
		for _, c := range b[:max(n, 0)] {
			if c == '-' {
				sign = -1
			} else if c >= '0' && c <= '9' {
				by = 10*by + int64(c-'0')
			}
		}
		steppedBy.Store(sign * by)
	}
	read()
	go func() {
		for {
			Sleep(10 * Millisecond)
			read()
		}
	}()
}
`
)

// newClock builds lanyard with a clock that can be stepped, beside the agent of bin.
func newClock(t *testing.T, bin string) *clock {
	t.Helper()
	dir := t.TempDir()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	patched := bytes.Replace(text, []byte(now), []byte(stepped), 1)
	if bytes.Equal(patched, text) {
		t.Fatalf("time.Now in %s is not as this test knows it", source)
	}
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		source: write("time.go", patched),
		filepath.Join(filepath.Dir(source), "step_test_clock.go"): write("step.go", []byte(stepper)),
	}})
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{program: filepath.Join(dir, "lanyard"), file: filepath.Join(dir, "clock")}
	build := exec.Command("go", "build", "-overlay", write("overlay.json", overlay), "-o", c.program, "github.com/lanyardhq/lanyard/cmd/lanyard")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with a clock that can be stepped: %v\n%s", err, out)
	}
	agent, err := os.ReadFile(filepath.Join(bin, "lanyard-agent"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "lanyard-agent"), agent, 0o755); err != nil {
		t.Fatal(err)
	}
	c.step(t, 0)
	return c
}

// step sets the clock off by so much.
func (c *clock) step(t *testing.T, by time.Duration) {
	t.Helper()
	fresh := c.file + ".new"
	if err := os.WriteFile(fresh, []byte(strconv.FormatInt(int64(by/time.Second), 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, c.file); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // it looks every 10 ms
}

func (c *clock) env() string { return fmt.Sprintf("LANYARD_TEST_CLOCK=%s", c.file) }
