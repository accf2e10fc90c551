package agent

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// becomeInit makes this process fit to be process 1: untouchable for its children, and the parent of orphans.
func becomeInit(ctx context.Context, wg *sync.WaitGroup, c *children) error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("agent: undumpable: %w", err)
	}
	if os.Getpid() != 1 { // where a runtime has an init of its own, and in tests
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("agent: subreaper: %w", err)
		}
	}
	// A core file would be written by the host, wherever the host writes them.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("agent: core files: %w", err)
	}
	// What was inherited from whoever started the workspace is not for its processes.
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("agent: descriptors: %w", err)
	}
	// Every signal that can be taken is taken and ignored: any process of the workspace may send any of them. SIGURG
	// stays with Go's scheduler, which takes it as well. What the kernel itself sends for a fault of ours still ends us.
	all := make(chan os.Signal, 64)
	for s := syscall.Signal(1); s <= 64; s++ {
		switch s {
		case syscall.SIGURG, syscall.SIGCHLD, syscall.SIGKILL, syscall.SIGSTOP:
		default:
			signal.Notify(all, s)
		}
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	wg.Go(func() {
		defer signal.Stop(ended)
		defer signal.Stop(all)
		for {
			select {
			case <-ctx.Done():
				return
			case <-all:
			case <-ended:
				c.reap()
			}
		}
	})
	return nil
}
