package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
)

// copies appends signed checkpoints to files that are kept apart from the database. A file that cannot be written
// does not hold up the log: it is reported, and tried again with the newest checkpoint.
type copies struct {
	paths   []string
	last    []byte // newest checkpoint
	written []bool // by path: it holds the newest checkpoint
	failing atomic.Pointer[string]
	log     *slog.Logger
}

func newCopies(paths []string, log *slog.Logger) *copies {
	return &copies{paths: paths, written: make([]bool, len(paths)), log: log}
}

func (c *copies) problem() string {
	if p := c.failing.Load(); p != nil {
		return *p
	}
	return ""
}

// begin catches up with the checkpoint that was signed last, and says so when a copy knows of a longer or another log.
func (c *copies) begin(ctx context.Context, last []byte, rows Reader, size int64) {
	for i, path := range c.paths {
		end, err := readEnd(path)
		if err != nil {
			c.log.Error("read an audit checkpoint copy", "file", path, "err", err)
			continue
		}
		c.written[i] = len(last) > 0 && bytes.HasSuffix(bytes.TrimRight(end, "\n"), bytes.TrimRight(last, "\n"))
		if err := contradiction(ctx, end, last, rows, size); err != nil {
			c.log.Error("the audit log is not the one that its copied checkpoint signs; was the database restored or changed?",
				"file", path, "err", err)
		}
	}
	c.last = last
	c.settle()
}

// contradiction compares the newest whole checkpoint at a copy's end with the log.
func contradiction(ctx context.Context, end, last []byte, rows Reader, size int64) error {
	origin, _, ok := bytes.Cut(last, []byte("\n"))
	if !ok {
		if len(bytes.TrimSpace(end)) > 0 {
			return errors.New("the copy has checkpoints and the log is empty")
		}
		return nil
	}
	notes := splitCheckpoints(end, string(origin))
	for i := len(notes) - 1; i >= 0; i-- {
		copied, err := parseCheckpoint(string(notes[i].note))
		if err != nil {
			continue // cut off by a crash
		}
		if copied.Size > size {
			return fmt.Errorf("the copy knows of %d events, the log has %d", copied.Size, size)
		}
		stored, err := rows.TreeHashesAt(ctx, edgeIndexes(copied.Size))
		if err != nil {
			return nil // the database fails, which others report
		}
		if t, err := treeOf(copied.Size, stored); err != nil || t.root() != copied.Root {
			return fmt.Errorf("the first %d events are not those that the copy signs", copied.Size)
		}
		return nil
	}
	return nil
}

// append writes a new checkpoint to every file.
func (c *copies) append(signed []byte) {
	c.last = signed
	clear(c.written)
	c.settle()
}

// settle writes the newest checkpoint where it is missing.
func (c *copies) settle() {
	if len(c.last) == 0 {
		return
	}
	var failed error
	for i, path := range c.paths {
		if c.written[i] {
			continue
		}
		if err := appendNote(path, c.last); err != nil {
			failed = errors.Join(failed, fmt.Errorf("copy an audit checkpoint: %w", err))
			continue
		}
		c.written[i] = true
	}
	if failed == nil {
		c.failing.Store(nil)
		return
	}
	text := failed.Error()
	if old := c.failing.Swap(&text); old == nil || *old != text {
		c.log.Error("audit log", "err", failed)
	}
}

// appendNote writes a note and an empty line. A line that an interrupted write left open is ended first.
func appendNote(path string, signed []byte) error {
	end, err := readEnd(path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	text := append(bytes.Clone(signed), '\n')
	if len(end) > 0 && end[len(end)-1] != '\n' {
		text = append([]byte("\n"), text...)
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// readEnd returns the last few checkpoints of a file; nothing when it is not there.
func readEnd(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-4096), 4096))
}
