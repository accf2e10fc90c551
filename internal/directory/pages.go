package directory

import (
	"context"
	"time"
)

// Page is a part of a source's reading of everything, kept until the reading is complete and becomes a change.
type Page struct {
	Number int       // from 0
	Body   []byte    // in the source's own form
	Next   string    // where the reading goes on after it
	Asked  time.Time // when the source was asked for it
}

// Pages keep readings that are under way, by name, so that an interrupted one goes on where it was, after a restart too.
// A name begins with its source's; the pages of one reading are added in order and by one writer.
type Pages interface {
	// AddPages appends to a reading; a page whose number is there already replaces it.
	AddPages(ctx context.Context, reading string, pages []Page) error
	// LoadPages calls take with each page in order, until it returns an error.
	LoadPages(ctx context.Context, reading string, take func(Page) error) error
	// DropPages forgets a reading.
	DropPages(ctx context.Context, reading string) error
}
