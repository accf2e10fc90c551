package storetest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
)

// directoryPages keeps a reading that is under way, finds it again in another process, and forgets it alone.
func directoryPages(t *testing.T, db Database) {
	ctx := t.Context()
	one, two := db.Open(t, "one"), db.Open(t, "two")
	page := func(n int) directory.Page {
		return directory.Page{Number: n, Body: bytes.Repeat([]byte{0, byte(n), 0xff}, 700), Next: "https://graph.example.test/?$skiptoken=ä", Asked: now()}
	}
	add := func(reading string, pages ...directory.Page) {
		t.Helper()
		if err := one.AddPages(ctx, reading, pages); err != nil {
			t.Fatal(err)
		}
	}
	load := func(reading string) (list []directory.Page) {
		t.Helper()
		if err := two.LoadPages(ctx, reading, func(p directory.Page) error { list = append(list, p); return nil }); err != nil {
			t.Fatal(err)
		}
		return list
	}
	again := page(1)
	again.Body = []byte("again")
	add("a", page(0), page(1))
	add("a", again, page(2))
	for n := range 12 { // numbers, not texts
		add("b", page(n))
	}
	got := load("a")
	if len(got) != 3 || string(got[1].Body) != "again" || got[2].Number != 2 || got[0].Next != page(0).Next || time.Since(got[0].Asked) > time.Hour {
		t.Errorf("a is %+v", got)
	}
	for n, p := range load("b") {
		if p.Number != n || !bytes.Equal(p.Body, page(n).Body) {
			t.Errorf("page %d of b is number %d", n, p.Number)
		}
	}
	enough := errors.New("enough")
	if err := two.LoadPages(ctx, "b", func(directory.Page) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("who takes no more is answered %v", err)
	}
	if err := two.DropPages(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if len(load("a")) != 0 || len(load("b")) != 12 {
		t.Error("not a alone was forgotten")
	}
}
