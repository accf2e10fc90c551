package audit_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

// tampering is a log of 23 events in checkpoints of 4, 9, 16 and 23, and someone with a hand on the database.
type tampering struct {
	*testing.T
	db   *sql.DB
	rows *store.Store
	key  key
}

func (t tampering) exec(query string, args ...any) {
	t.Helper()
	done, err := t.db.Exec(query, args...)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("%s changed %d rows, %v", query, n, err)
	}
}

func (t tampering) body(seq int64) []byte {
	t.Helper()
	var body []byte
	if err := t.db.QueryRow(`SELECT leaf FROM audit_entries WHERE seq = $1`, seq).Scan(&body); err != nil {
		t.Fatal(err)
	}
	return body
}

// change replaces text in an event's bytes.
func (t tampering) change(seq int64, old, new string) {
	t.Helper()
	body := string(t.body(seq))
	if !strings.Contains(body, old) {
		t.Fatalf("event %d is %s", seq, body)
	}
	t.exec(`UPDATE audit_entries SET leaf = $1 WHERE seq = $2`, []byte(strings.Replace(body, old, new, 1)), seq)
}

// changeClear replaces text of what stands beside an event.
func (t tampering) changeClear(seq int64, old, new string) {
	t.Helper()
	var clear []byte
	if err := t.db.QueryRow(`SELECT clear FROM audit_entries WHERE seq = $1`, seq).Scan(&clear); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(clear), old) {
		t.Fatalf("beside event %d is %s", seq, clear)
	}
	t.exec(`UPDATE audit_entries SET clear = $1 WHERE seq = $2`, []byte(strings.Replace(string(clear), old, new, 1)), seq)
}

// setHash changes one of the hashes that a row holds.
func (t tampering) setHash(index int64, hash []byte) {
	t.Helper()
	var first int64
	var joined []byte
	if err := t.db.QueryRow(`SELECT idx, hash FROM audit_hashes WHERE idx <= $1 ORDER BY idx DESC LIMIT 1`, index).Scan(&first, &joined); err != nil {
		t.Fatal(err)
	}
	copy(joined[(index-first)*tlog.HashSize:], hash)
	t.exec(`UPDATE audit_hashes SET hash = $1 WHERE idx = $2`, joined, first)
}

// cutHashes drops the hashes from an index on.
func (t tampering) cutHashes(index int64) {
	t.Helper()
	var first int64
	var joined []byte
	if err := t.db.QueryRow(`SELECT idx, hash FROM audit_hashes WHERE idx <= $1 ORDER BY idx DESC LIMIT 1`, index).Scan(&first, &joined); err != nil {
		t.Fatal(err)
	}
	if first == index {
		t.exec(`DELETE FROM audit_hashes WHERE idx >= $1`, index)
		return
	}
	t.exec(`UPDATE audit_hashes SET hash = $1 WHERE idx = $2`, joined[:(index-first)*tlog.HashSize], first)
	_, err := t.db.Exec(`DELETE FROM audit_hashes WHERE idx > $1`, first)
	if err != nil {
		t.Fatal(err)
	}
}

// rehash makes all stored hashes fit the events that are there now.
func (t tampering) rehash() []tlog.Hash {
	t.Helper()
	t.exec(`DELETE FROM audit_hashes`)
	var stored []tlog.Hash
	var joined []byte
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	leaves, err := t.rows.Leaves(t.Context(), -1, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for n, leaf := range leaves {
		hashes, err := tlog.StoredHashes(int64(n), leaf.Body, read)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hashes {
			stored = append(stored, h)
			joined = append(joined, h[:]...)
		}
	}
	t.exec(`INSERT INTO audit_hashes (idx, hash) VALUES (0, $1)`, joined)
	return stored
}

// resign makes all checkpoints fit the hashes, with a key.
func (t tampering) resign(stored []tlog.Hash, k key) {
	t.Helper()
	checkpoints, err := t.rows.Checkpoints(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checkpoints {
		root, err := tlog.TreeHash(c.Size, tlog.HashReaderFunc(func(indexes []int64) (hashes []tlog.Hash, err error) {
			for _, i := range indexes {
				hashes = append(hashes, stored[i])
			}
			return hashes, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", origin, c.Size, root)}, k.signer)
		if err != nil {
			t.Fatal(err)
		}
		t.exec(`UPDATE audit_checkpoints SET note = $1 WHERE size = $2`, signed, c.Size)
	}
}

// found is a finding without its text.
func found(f audit.Finding) string {
	if f.From == f.To {
		return fmt.Sprintf("%s %d", f.Kind, f.From)
	}
	return fmt.Sprintf("%s %d-%d", f.Kind, f.From, f.To)
}

const unproven = "completeness unproven"

var tamperings = []struct {
	name    string
	do      func(tampering)
	without []string // findings without a copied checkpoint; none: "consistent, completeness unproven"
	with    []string // findings with one; nil: the same
}{
	{name: "nothing", do: func(tampering) {}},
	{name: "a byte of an event", do: func(t tampering) { t.change(5, `"done"`, `"Done"`) }, without: []string{"changed 5"}},
	{name: "an event's person", do: func(t tampering) {
		t.change(5, `"object":"sha256:`, `"object":"sha256:A`)
	}, without: []string{"changed 5"}},
	{name: "an event and its hash", do: func(t tampering) {
		t.change(6, `"n":6`, `"n":7`)
		hash := tlog.RecordHash(t.body(6))
		t.setHash(tlog.StoredHashIndex(0, 6), hash[:])
	}, without: []string{"rewritten 4-8", "hash 7-15"}},
	{name: "an event and all hashes", do: func(t tampering) { t.change(6, `"n":6`, `"n":7`); t.rehash() }, without: []string{"rewritten 4-8"}},
	{name: "an event of the last batch and all hashes", do: func(t tampering) { t.change(20, `"n":20`, `"n":21`); t.rehash() }, without: []string{"rewritten 16-22"}},
	{name: "an event, all hashes and all signatures by another key", do: func(t tampering) {
		t.change(6, `"n":6`, `"n":7`)
		t.resign(t.rehash(), newKey(t))
	}, without: []string{"unsigned 0-22", "checkpoint 4", "checkpoint 9", "checkpoint 16", "checkpoint 23"},
		with: []string{"checkpoint 4", "rewritten 4-8", "checkpoint 9", "checkpoint 16", "checkpoint 23"}},
	{name: "an event, all hashes and all signatures by the log's own key", do: func(t tampering) {
		t.change(6, `"n":6`, `"n":7`)
		t.resign(t.rehash(), t.key)
	}, with: []string{"rewritten 4-8"}},
	{name: "an event dropped", do: func(t tampering) { t.exec(`DELETE FROM audit_entries WHERE seq = 5`) }, without: []string{"dropped 5"}},
	{name: "events dropped with their hashes", do: func(t tampering) {
		t.exec(`DELETE FROM audit_entries WHERE seq IN (5, 6)`)
		t.setHash(tlog.StoredHashIndex(0, 5), make([]byte, 32))
		t.setHash(tlog.StoredHashIndex(0, 6), make([]byte, 32))
	}, without: []string{"rewritten 4-8", "dropped 5-6", "hash 5-15"}},
	{name: "an event dropped and the rest moved up", do: func(t tampering) {
		t.exec(`DELETE FROM audit_entries WHERE seq = 5`)
		for seq := 6; seq < 23; seq++ {
			t.exec(`UPDATE audit_entries SET seq = $1 WHERE seq = $2`, seq-1, seq)
		}
	}, without: []string{"swapped 5-8", "swapped 9-15", "swapped 16-21", "truncated 22"}},
	{name: "two events swapped", do: func(t tampering) {
		a, b := t.body(3), t.body(18)
		t.exec(`UPDATE audit_entries SET leaf = $1 WHERE seq = 3`, b)
		t.exec(`UPDATE audit_entries SET leaf = $1 WHERE seq = 18`, a)
	}, without: []string{"swapped 3", "swapped 18"}},
	{name: "two neighbours swapped", do: func(t tampering) {
		a, b := t.body(5), t.body(6)
		t.exec(`UPDATE audit_entries SET leaf = $1 WHERE seq = 5`, b)
		t.exec(`UPDATE audit_entries SET leaf = $1 WHERE seq = 6`, a)
	}, without: []string{"swapped 5", "swapped 6"}},
	{name: "two events swapped and renumbered", do: func(t tampering) {
		a, b := string(t.body(3)), string(t.body(18))
		t.exec(`UPDATE audit_entries SET leaf = $1 WHERE seq = 3`, []byte(strings.Replace(b, `"seq":18`, `"seq":3`, 1)))
		t.exec(`UPDATE audit_entries SET leaf = $1 WHERE seq = 18`, []byte(strings.Replace(a, `"seq":3`, `"seq":18`, 1)))
	}, without: []string{"changed 3", "changed 18"}},
	{name: "the last events cut off", do: func(t tampering) { t.exec(`DELETE FROM audit_entries WHERE seq >= 20`) }, without: []string{"truncated 20-22"}},
	{name: "the last events and hashes cut off", do: func(t tampering) {
		t.exec(`DELETE FROM audit_entries WHERE seq >= 20`)
		t.cutHashes(tlog.StoredHashCount(20))
	}, without: []string{"truncated 20-22"}},
	{name: "the end cut off with its checkpoint and its numbers", do: func(t tampering) {
		t.exec(`UPDATE audit_pending_head SET num = 16`)
		t.exec(`DELETE FROM audit_index WHERE seq >= 16`)
		t.exec(`UPDATE audit_positions SET position = 16`)
		t.exec(`DELETE FROM audit_entries WHERE seq >= 16`)
		t.cutHashes(tlog.StoredHashCount(16))
		t.exec(`DELETE FROM audit_checkpoints WHERE size > 16`)
	}, with: []string{"truncated 16-22"}},
	{name: "the end cut off with its checkpoint", do: func(t tampering) {
		t.exec(`DELETE FROM audit_entries WHERE seq >= 16`)
		t.cutHashes(tlog.StoredHashCount(16))
		t.exec(`DELETE FROM audit_checkpoints WHERE size > 16`)
	}, without: []string{"truncated 16-22"}},
	{name: "everything gone", do: func(t tampering) {
		for _, table := range []string{"audit_entries", "audit_hashes", "audit_checkpoints", "audit_index"} {
			t.exec(`DELETE FROM ` + table)
		}
		t.exec(`UPDATE audit_pending_head SET num = 0`)
		t.exec(`UPDATE audit_positions SET position = 0`)
	}, with: []string{"truncated 0-22"}},
	{name: "all checkpoints gone", do: func(t tampering) { t.exec(`DELETE FROM audit_checkpoints`) }, without: []string{"unsigned 0-22"}, with: []string{}},
	{name: "the last checkpoint gone", do: func(t tampering) { t.exec(`DELETE FROM audit_checkpoints WHERE size = 23`) }, without: []string{"unsigned 16-22"}, with: []string{}},
	{name: "an event added", do: func(t tampering) {
		t.exec(`INSERT INTO audit_entries (seq, leaf) VALUES (23, $1)`, []byte(`{"seq":23}`))
	}, without: []string{"unsigned 23"}},
	{name: "a checkpoint forged for a longer log", do: func(t tampering) {
		signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n99\n%s\n", origin, tlog.Hash{})}, newKey(t).signer)
		if err != nil {
			t.Fatal(err)
		}
		t.exec(`INSERT INTO audit_checkpoints (size, note) VALUES (99, $1)`, signed)
	}, without: []string{"checkpoint 99"}},
	{name: "a byte of a checkpoint", do: func(t tampering) {
		c, err := t.rows.LastCheckpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.Note[len(origin)+6] ^= 1
		t.exec(`UPDATE audit_checkpoints SET note = $1 WHERE size = 23`, c.Note)
	}, without: []string{"unsigned 16-22", "checkpoint 23"}, with: []string{"checkpoint 23"}},
	{name: "checkpoints exchanged", do: func(t tampering) {
		t.exec(`DELETE FROM audit_checkpoints WHERE size = 9`)
		t.exec(`UPDATE audit_checkpoints SET size = 9 WHERE size = 4`)
	}, without: []string{"checkpoint 9"}},
	{name: "a leaf's hash", do: func(t tampering) {
		t.setHash(tlog.StoredHashIndex(0, 6), make([]byte, 32))
	}, without: []string{"hash 6"}},
	{name: "a node's hash", do: func(t tampering) { t.setHash(tlog.StoredHashIndex(2, 1), []byte{1, 2, 3}) }, without: []string{"hash 7"}},
	{name: "a row of hashes, cut short", do: func(t tampering) {
		t.exec(`UPDATE audit_hashes SET hash = $1 WHERE idx = $2`, []byte{1}, tlog.StoredHashCount(16))
	}, without: []string{"hash 16", "hash 17-21", "hash 17-22"}},
	{name: "all hashes gone", do: func(t tampering) { t.exec(`DELETE FROM audit_hashes`) },
		without: []string{"hash 0-3", "hash 1-3", "hash 4-8", "hash 5-7", "hash 9-15", "hash 9-15", "hash 16-22", "hash 17-21"}},
	{name: "filed under another person", do: func(t tampering) { t.exec(`UPDATE audit_index SET person = person + 1 WHERE seq = 5`) }, without: []string{"index 5"}},
	{name: "filed under another time", do: func(t tampering) { t.exec(`UPDATE audit_index SET at = at + 1 WHERE seq = 5`) }, without: []string{"index 5"}},
	{name: "not filed", do: func(t tampering) { t.exec(`DELETE FROM audit_index WHERE seq = 5`) }, without: []string{"index 5"}},
	{name: "a salt", do: func(t tampering) { t.changeClear(5, `"name":["`, `"name":["A`) }, without: []string{"personal 5"}},
	{name: "a name beside an event", do: func(t tampering) { t.changeClear(5, `"Ada"`, `"Bob"`) }, without: []string{"personal 5"}},
	{name: "who it was, with the index", do: func(t tampering) {
		t.changeClear(5, `"ada"`, `"bob"`)
		t.exec(`UPDATE audit_index SET person = 0 WHERE seq = 5`)
	}, without: []string{"personal 5"}},
	{name: "personal values exchanged", do: func(t tampering) {
		t.exec(`UPDATE audit_entries SET clear = (SELECT o.clear FROM audit_entries o WHERE o.seq = 6) WHERE seq = 5`)
	}, without: []string{"personal 5"}},
	{name: "a value added beside an event", do: func(t tampering) {
		t.changeClear(5, `{`, `{"mail":["AAAAAAAAAAAAAAAAAAAAAA","x"],`)
	}, without: []string{"personal 5"}},
	{name: "personal values gone", do: func(t tampering) { t.exec(`UPDATE audit_entries SET clear = NULL WHERE seq = 5`) }, without: []string{"personal 5"}},
	{name: "personal values gone, as if by an event", do: func(t tampering) {
		t.exec(`UPDATE audit_entries SET clear = NULL, erased = 9 WHERE seq IN (5, 6)`)
		t.exec(`UPDATE audit_index SET person = 0 WHERE seq IN (5, 6)`)
	}, without: []string{"personal 9"}},
	{name: "personal values gone, as if by a later event", do: func(t tampering) {
		t.exec(`UPDATE audit_entries SET clear = NULL, erased = 77 WHERE seq = 5`)
		t.exec(`UPDATE audit_index SET person = 0 WHERE seq = 5`)
	}, without: []string{"personal 77"}},
	{name: "events gone, as if by retention", do: func(t tampering) {
		t.exec(`DELETE FROM audit_entries WHERE seq < 3`)
		t.exec(`DELETE FROM audit_index WHERE seq < 3`)
		signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s/pruned\n3\n%s\n2026-01-01T00:00:00Z\n", origin, tlog.Hash{})}, newKey(t).signer)
		if err != nil {
			t.Fatal(err)
		}
		t.exec(`INSERT INTO audit_prunings (size, note) VALUES (3, $1)`, signed)
	}, without: []string{"pruning 0-2", "dropped 0-2"}},
	{name: "a checkpoint as statement about retention", do: func(t tampering) {
		t.exec(`DELETE FROM audit_entries WHERE seq < 4`)
		t.exec(`INSERT INTO audit_prunings SELECT size, note FROM audit_checkpoints WHERE size = 4`)
	}, without: []string{"pruning 0-3", "dropped 0-3"}},
}

// TestTampering has each change found, or said to be beyond proof.
func TestTampering(t *testing.T) {
	onEach(t, func(t *testing.T, _ storetest.Database) {
		postgres := strings.Contains(t.Name(), "PostgreSQL")
		for i, c := range tamperings {
			t.Run(c.name, func(t *testing.T) {
				db := storetest.SQLite(t)
				if postgres {
					if i%4 != 0 && os.Getenv("LANYARD_SLOW") == "" {
						t.Skip("SKIP: on PostgreSQL every fourth, all of them with LANYARD_SLOW=1")
					}
					db = storetest.OnPostgreSQL(t)
				}
				tamper(t, db, c.do, c.without, c.with)
			})
		}
	})
}

func tamper(t *testing.T, db storetest.Database, do func(tampering), without, with []string) {
	server, err := store.Open(t.Context(), config(db.Config, "server"))
	if err != nil {
		t.Fatal(err)
	}
	k := newKey(t)
	file := filepath.Join(t.TempDir(), "copy")
	fill(t, newLog(server, k, "server", file), 4, 5, 7, 7)
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	copied := read(t, file)
	rows := db.Open(t, "tampering")
	do(tampering{t, db.Raw(t), rows, k})

	c := db.Config
	c.ReadOnly = true
	auditor := storetest.Open(t, c)
	check := func(name string, copied []byte, want []string) audit.Report {
		t.Helper()
		r := verify(t, auditor, k, copied)
		got := []string{}
		for _, f := range r.Findings {
			got = append(got, found(f))
		}
		if !slices.Equal(got, append([]string{}, want...)) {
			t.Errorf("%s: found %q, wanted %q\n%s", name, got, want, r)
		}
		return r
	}
	if r := check("without a copy", nil, without); r.OK() && !strings.Contains(r.Conclusion(), unproven) {
		t.Errorf("without a copy: %s", r.Conclusion())
	}
	if with == nil {
		with = without
	}
	if r := check("with the copy", copied, with); r.OK() && r.Conclusion() != "consistent and complete" {
		t.Errorf("with the copy: %s", r.Conclusion())
	}
}

// TestVerifyCopies gives Verify other copies than the file as it was written.
func TestVerifyCopies(t *testing.T) {
	s, k, other := storetest.SQLite(t).Open(t, "one"), newKey(t), newKey(t)
	file := filepath.Join(t.TempDir(), "copy")
	l := newLog(s, k, "one", file)
	fill(t, l, 3, 3, 3)
	first, err := s.Checkpoints(t.Context(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if r := verify(t, s, k, first[0].Note); !r.OK() || r.Complete != 3 || !strings.Contains(r.Conclusion(), "complete up to event 2") {
		t.Errorf("one checkpoint: %s", r)
	}
	if r := verify(t, s, other, nil); r.OK() {
		t.Errorf("another key: %s", r)
	}
	for name, copied := range map[string]string{"empty": "", "not a checkpoint": "hello", "torn at once": origin + "\n1"} {
		if r := verify(t, s, k, []byte(copied)); r.OK() || r.Complete != 0 {
			t.Errorf("%s: %s", name, r)
		}
	}
	// A copy of another log under the same name is another signature.
	elsewhere := filepath.Join(t.TempDir(), "copy")
	fill(t, newLog(storetest.SQLite(t).Open(t, "one"), other, "one", elsewhere), 3)
	if r := verify(t, s, k, read(t, elsewhere)); r.OK() {
		t.Errorf("another log's copy: %s", r)
	}
	text, err := json.Marshal(verify(t, s, k, read(t, file)))
	if err != nil || !strings.Contains(string(text), `"ok":true`) || !strings.Contains(string(text), `"findings":[]`) || !strings.Contains(string(text), `"conclusion":"consistent and complete"`) {
		t.Errorf("%s, %v", text, err)
	}
}

// TestVerifyBesideServer verifies again and again while events come.
func TestVerifyBesideServer(t *testing.T) {
	onEach(t, func(t *testing.T, db storetest.Database) {
		s, k := db.Open(t, "one"), newKey(t)
		l := newLog(s, k, "one")
		writing, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for n := 0; writing.Err() == nil; n++ {
				if err := l.Durable(t.Context(), event(n)); err != nil {
					t.Error(err)
					return
				}
				l.Lead(t.Context())
			}
		}()
		c := db.Config
		c.ReadOnly = true
		auditor := storetest.Open(t, c)
		for range 30 {
			if r := verify(t, auditor, k, nil); !r.OK() {
				t.Errorf("beside the server:\n%s", r)
				break
			}
		}
		stop()
		<-done
	})
}

// TestLeaderRefusesChangedTree starts a server on a log whose end was changed while it was off.
func TestLeaderRefusesChangedTree(t *testing.T) {
	db, k := storetest.SQLite(t), newKey(t)
	s := db.Open(t, "one")
	fill(t, newLog(s, k, "one"), 4)
	tampering{t, db.Raw(t), s, k}.setHash(tlog.StoredHashIndex(2, 0), make([]byte, 32))
	l := newLog(s, k, "one")
	if err := l.Durable(t.Context(), event(9)); err != nil {
		t.Fatal(err)
	}
	if l.Lead(t.Context()); l.Status().Leading || !strings.Contains(l.Status().Problem, "changed from outside") {
		t.Errorf("%+v", l.Status())
	}
}
