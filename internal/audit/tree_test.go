package audit

import (
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// TestTreeIsTlogs grows a tree and compares each step with the library that defines what is stored.
func TestTreeIsTlogs(t *testing.T) {
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	var grown tree
	for n := range int64(300) {
		want, err := tlog.TreeHash(n, read)
		if err != nil {
			t.Fatal(err)
		}
		if grown.root() != want {
			t.Fatalf("root of %d events", n)
		}
		var edge []StoredHash
		for _, index := range edgeIndexes(n) {
			edge = append(edge, StoredHash{index, stored[index]})
		}
		if again, err := treeOf(n, edge); err != nil || again.root() != want {
			t.Fatalf("tree of %d events from what is stored: %v", n, err)
		}
		data := []byte(fmt.Sprint("event ", n))
		hashes, err := tlog.StoredHashes(n, data, read)
		if err != nil {
			t.Fatal(err)
		}
		made := grown.append(tlog.RecordHash(data))
		if len(made) != len(hashes) {
			t.Fatalf("event %d makes %d hashes, not %d", n, len(made), len(hashes))
		}
		for i, h := range made {
			if h.Hash != hashes[i] || h.Index != int64(len(stored)) {
				t.Fatalf("event %d: hash %d", n, i)
			}
			stored = append(stored, h.Hash)
		}
	}
}

// TestCheckpointText refuses what is not the one way to write a checkpoint.
func TestCheckpointText(t *testing.T) {
	const root = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	if c, err := parseCheckpoint("log\n7\n" + root + "\n"); err != nil || c.Size != 7 || c.Origin != "log" {
		t.Errorf("%+v, %v", c, err)
	}
	for _, bad := range []string{"", "log\n7\n" + root, "log\n07\n" + root + "\n", "log\n-1\n" + root + "\n", "log\n+7\n" + root + "\n",
		"log\n7\nAAAA\n", "log\n7\n" + root[:43] + "\n", "log\n9999999999999999999999\n" + root + "\n"} {
		if c, err := parseCheckpoint(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, c)
		}
	}
}
