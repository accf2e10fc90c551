package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// process names one process of this machine beyond the reuse of its number.
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks since boot (proc(5), stat, field 22)
	Boot  string `json:"boot"`  // the boot's ID
}

// bootID changes with every boot of this machine.
func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("sandbox: boot ID: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// findProcess describes the process that has the number pid now, and its parent.
func findProcess(pid int) (p *process, parent int, err error) {
	boot, err := bootID()
	if err != nil {
		return nil, 0, err
	}
	st, err := readStat(pid)
	if err != nil {
		return nil, 0, err
	}
	return &process{PID: pid, Start: st.start, Boot: boot}, st.parent, nil
}

type procStat struct {
	state  byte
	parent int
	time   uint64 // of processors, in ticks, its own and the system's
	start  uint64
	pages  uint64 // in memory
}

func readStat(pid int) (procStat, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return procStat{}, err
	}
	// The name, in parentheses, may contain anything; the last parenthesis ends it.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 22 {
		return procStat{}, fmt.Errorf("sandbox: /proc/%d/stat has %d fields", pid, len(fields))
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return procStat{}, fmt.Errorf("sandbox: /proc/%d/stat: %w", pid, err)
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return procStat{}, fmt.Errorf("sandbox: /proc/%d/stat: %w", pid, err)
	}
	st := procStat{state: fields[0][0], parent: parent, start: start}
	for _, n := range []struct {
		at int
		to *uint64
	}{{11, &st.time}, {12, &st.time}, {21, &st.pages}} {
		if v, err := strconv.ParseUint(fields[n.at], 10, 64); err == nil {
			*n.to += v
		}
	}
	return st, nil
}

// alive reports whether that very process runs.
func (p *process) alive() bool {
	if p == nil {
		return false
	}
	now, _, err := findProcess(p.PID)
	if err != nil || *now != *p {
		return false
	}
	st, err := readStat(p.PID)
	return err == nil && st.state != 'Z' && st.state != 'X'
}

// kill ends the process and waits until it has ended; it is no error when it is gone. For process 1 of a PID
// namespace the kernel ends every process in it first.
func (p *process) kill(ctx context.Context) error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pidfd of %d: %w", p.PID, err)
	}
	defer unix.Close(fd)
	if !p.alive() { // asked after opening: the descriptor cannot come to mean another process any more
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill %d: %w", p.PID, err)
	}
	return waitEnded(ctx, fd)
}

// waitEnded waits until the process of a pidfd has ended.
func waitEnded(ctx context.Context, fd int) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 100)
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for the process: %w", err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}
