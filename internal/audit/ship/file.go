package ship

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
)

// file appends lines of an export. It is opened for each batch, so that it may be moved away.
type file struct{ c Config }

func (f *file) Name() string          { return f.c.Name }
func (f *file) Settle() time.Duration { return 0 }

func (f *file) Send(_ context.Context, batch []audit.Exported) (err error) {
	if len(batch) == 0 {
		return nil
	}
	var text []byte
	for _, e := range batch {
		text = append(append(text, e.Line...), '\n')
	}
	to, err := os.OpenFile(f.c.File, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	info, err := to.Stat()
	if err != nil {
		return err
	}
	// A write that was interrupted left part of a line, which is sent again whole.
	if n := info.Size(); n > 0 {
		last := make([]byte, 1)
		if _, err := to.ReadAt(last, n-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			text = append([]byte{'\n'}, text...)
		}
	}
	if _, err := to.Write(text); err != nil {
		return err
	}
	return to.Sync()
}
