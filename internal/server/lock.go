package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Lock takes a data folder for this process until the file is closed or the process has ended, however it ended. It
// comes before anything in the folder is read or written: two that start in the same moment cannot both go on. The
// error is a problem.Conflict while another process has the folder.
func Lock(folder string) (*os.File, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, problem.Wrap(err, problem.Conflict, "A Lanyard server runs on the data in %s already. Stop it first, or choose another data folder.", folder)
	}
	return nil, fmt.Errorf("lock the data folder: %w", err)
}
