package agent

import (
	"os"
	"path/filepath"
)

// maxTaskFile bounds the file that a task's output is kept in, in bytes.
const maxTaskFile = 4 << 20

// taskLog is the file that a task's output goes to, beside its terminal, so that it is there when the workspace has been
// stopped and started. The task goes on without it where it cannot be written.
type taskLog struct {
	f    *os.File
	left int
}

// openTaskLog begins the log of a task; that of the start before is kept beside it.
func openTaskLog(home, id string) (*taskLog, error) {
	path := filepath.Join(home, ".local/state/lanyard/tasks", id+".log")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	_ = os.Rename(path, path+".1") // there may be none
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &taskLog{f, maxTaskFile}, nil
}

func (l *taskLog) write(p []byte) {
	if l == nil || l.left <= 0 {
		return
	}
	n, err := l.f.Write(p[:min(len(p), l.left)])
	l.left -= n
	if err != nil {
		l.left = 0 // the disk is full: a hole in the middle would mislead
	}
}

func (l *taskLog) close() {
	if l != nil {
		l.f.Close()
	}
}
