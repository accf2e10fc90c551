package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
)

// copies writes signed checkpoints to places that are kept apart from the database. A place that cannot be written
// does not hold up the log: it is reported, and tried again with the newest checkpoint.
type copies struct {
	rows    Rows
	log     *slog.Logger
	remotes []*remote

	mu      sync.Mutex
	files   []*file
	last    StoredCheckpoint // newest
	differs string           // a copy knows of a longer or another log: what was found when leading began
}

// file is a file that checkpoints are appended to.
type file struct {
	path    string
	written int64  // size of the checkpoint that it is known to hold
	failing string // why it could not be written
}

func newCopies(c Config) *copies {
	all := &copies{rows: c.Rows, log: c.Log}
	for _, path := range c.Copies {
		all.files = append(all.files, &file{path: path})
	}
	for _, r := range c.Remotes {
		all.remotes = append(all.remotes, &remote{Remote: r})
	}
	return all
}

// close ends idle connections.
func (c *copies) close() {
	for _, r := range c.remotes {
		r.Client.CloseIdleConnections()
	}
}

// problem is what is wrong with the copies; empty when all hold the newest checkpoint, or soon will.
func (c *copies) problem() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.differs != "" {
		return c.differs
	}
	for _, f := range c.files {
		if f.failing != "" {
			return f.failing
		}
	}
	for _, r := range c.remotes {
		if r.failing != "" {
			return r.failing
		}
	}
	return ""
}

// begin catches up with the checkpoint that was signed last, and says so when a copy knows of a longer or another log.
func (c *copies) begin(ctx context.Context, last StoredCheckpoint, rows Reader) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.differs = last, ""
	for _, f := range c.files {
		end, err := readEnd(f.path)
		if err != nil {
			c.log.Error("read an audit checkpoint copy", "file", f.path, "err", err)
			continue
		}
		f.written = 0
		if last.Size > 0 && bytes.HasSuffix(bytes.TrimRight(end, "\n"), bytes.TrimRight(last.Note, "\n")) {
			f.written = last.Size
		}
		c.compare(ctx, f.path, end, rows)
	}
	for _, r := range c.remotes {
		r.written, r.compared = 0, false
	}
	c.settle()
}

// compare looks for what a copy signs and the log is not. Held by mu.
func (c *copies) compare(ctx context.Context, place string, end []byte, rows Reader) {
	if err := contradiction(ctx, end, c.last, rows); err != nil {
		c.log.Error("the audit log is not the one that its copied checkpoint signs; was the database restored or changed?",
			"copy", place, "err", err)
		c.differs = fmt.Sprintf("the audit log is not the one that its copied checkpoint in %s signs: %v; run `lanyard audit verify` with that copy", place, err)
	}
}

// contradiction compares the newest whole checkpoint at a copy's end with the log.
func contradiction(ctx context.Context, end []byte, last StoredCheckpoint, rows Reader) error {
	origin, _, ok := bytes.Cut(last.Note, []byte("\n"))
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
		if copied.Size > last.Size {
			return fmt.Errorf("the copy knows of %d events, the log has %d", copied.Size, last.Size)
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

// grown takes note of a new checkpoint, which settle then writes.
func (c *copies) grown(signed StoredCheckpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = signed
}

// write writes the newest checkpoint to every file where it is missing.
func (c *copies) write() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
}

func (c *copies) settle() {
	for _, f := range c.files {
		if c.last.Size == 0 || f.written == c.last.Size {
			continue
		}
		err := appendNote(f.path, c.last.Note)
		if err == nil {
			f.written = c.last.Size
		}
		c.said(&f.failing, err)
	}
}

// said keeps why a copy fails, and logs it when it begins or changes. Held by mu.
func (c *copies) said(failing *string, err error) {
	text := ""
	if err != nil {
		text = "copy an audit checkpoint: " + err.Error()
		if text != *failing {
			c.log.Error("an audit checkpoint is not copied", "err", err)
		}
	}
	*failing = text
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
