package crash

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/test/harness"
)

// evidence is a copy of a stopped server's log and of its checkpoints, for tampering.
type evidence struct {
	*testing.T
	*sql.DB
	data        string
	checkpoints string // the copy that lies elsewhere
}

func (e evidence) change(query string, args ...any) {
	e.Helper()
	done, err := e.Exec(query, args...)
	if err != nil {
		e.Fatal(err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		e.Fatalf("%s changed %d rows, %v", query, n, err)
	}
}

func (e evidence) body(seq int64) (body []byte) {
	e.Helper()
	if err := e.QueryRow(`SELECT leaf FROM audit_entries WHERE seq = $1`, seq).Scan(&body); err != nil {
		e.Fatal(err)
	}
	return body
}

// cut drops the events from a position on, and what the tree knows of them.
func (e evidence) cut(from int64) {
	e.Helper()
	e.change(`DELETE FROM audit_entries WHERE seq >= $1`, from)
	e.change(`DELETE FROM audit_hashes WHERE idx >= $1`, tlog.StoredHashCount(from))
}

// renumber makes the log's own count fit what was cut off.
func (e evidence) renumber(size int64) {
	e.Helper()
	e.change(`UPDATE audit_pending_head SET num = $1`, size)
	e.change(`DELETE FROM audit_index WHERE seq >= $1`, size)
	e.change(`UPDATE audit_positions SET position = $1 WHERE name = 'index'`, size)
}

// earlier is the size of the checkpoint n before the last.
func (e evidence) earlier(n int) (size int64) {
	e.Helper()
	if err := e.QueryRow(`SELECT size FROM audit_checkpoints ORDER BY size DESC LIMIT 1 OFFSET $1`, n).Scan(&size); err != nil {
		e.Fatal(err)
	}
	return size
}

const (
	unproven = "consistent, completeness unproven"
	complete = "consistent and complete"
	broken   = "not intact"
)

var tamperings = []struct {
	name          string
	do            func(evidence)
	without, with string // what verify says without and with the copied checkpoints
	finds         string // a word of what is found
}{
	{name: "nothing", do: func(evidence) {}, without: unproven, with: complete},
	{name: "a byte of an event", do: func(e evidence) {
		body := e.body(3)
		body[len(body)/2] ^= 1
		e.change(`UPDATE audit_entries SET leaf = $1 WHERE seq = 3`, body)
	}, without: broken, with: broken, finds: "changed"},
	{name: "who did it", do: func(e evidence) {
		e.change(`UPDATE audit_entries SET clear = CAST(replace(CAST(clear AS TEXT), 'Ada Lovelace', 'Alan Turing!') AS BLOB) WHERE instr(CAST(clear AS TEXT), 'Ada Lovelace') > 0`)
	}, without: broken, with: broken, finds: "not those that it commits to"},
	{name: "an event dropped", do: func(e evidence) { e.change(`DELETE FROM audit_entries WHERE seq = 4`) },
		without: broken, with: broken, finds: "missing"},
	{name: "an event dropped and the others moved up", do: func(e evidence) {
		e.change(`DELETE FROM audit_entries WHERE seq = 4`)
		e.change(`UPDATE audit_entries SET seq = -seq WHERE seq > 4`)
		e.change(`UPDATE audit_entries SET seq = -seq - 1 WHERE seq < 0`)
	}, without: broken, with: broken, finds: "what was signed as event"},
	{name: "two events swapped", do: func(e evidence) {
		a, b := e.body(3), e.body(6)
		e.change(`UPDATE audit_entries SET leaf = $1 WHERE seq = 3`, b)
		e.change(`UPDATE audit_entries SET leaf = $1 WHERE seq = 6`, a)
	}, without: broken, with: broken, finds: "what was signed as event"},
	{name: "the end cut off", do: func(e evidence) { e.cut(e.earlier(1)) }, without: broken, with: broken, finds: "cut off the end"},
	{name: "the end cut off with its checkpoints", do: func(e evidence) {
		size := e.earlier(2)
		e.cut(size)
		e.renumber(size)
		e.change(`DELETE FROM audit_checkpoints WHERE size > $1`, size)
	}, without: unproven, with: broken, finds: "cut off the end"},
	{name: "everything gone", do: func(e evidence) {
		e.cut(0)
		e.renumber(0)
		e.change(`DELETE FROM audit_checkpoints`)
	}, without: unproven, with: broken, finds: "cut off the end"},
	{name: "all checkpoints gone", do: func(e evidence) { e.change(`DELETE FROM audit_checkpoints`) },
		without: broken, with: complete, finds: "no checkpoint covers"},
	{name: "an event added", do: func(e evidence) {
		e.change(`INSERT INTO audit_entries (seq, leaf) SELECT max(seq)+1, $1 FROM audit_entries`, []byte(`{"seq":9999}`))
	}, without: broken, with: broken, finds: "no checkpoint covers"},
	{name: "a signature", do: func(e evidence) {
		e.change(`UPDATE audit_checkpoints SET note = CAST(replace(CAST(note AS TEXT), '/audit ', '/Audit ') AS BLOB)`)
	}, without: broken, with: broken, finds: "checkpoint"},
	{name: "the copied checkpoints", do: func(e evidence) {
		b, err := os.ReadFile(e.checkpoints)
		if err != nil {
			e.Fatal(err)
		}
		b[len(b)-20] ^= 2 // of the last signature
		if err := os.WriteFile(e.checkpoints, b, 0o600); err != nil {
			e.Fatal(err)
		}
	}, without: unproven, with: broken, finds: "not signed by this log"},
}

// Whoever has the database and not the checkpoints that were copied elsewhere is found out by `lanyard audit verify`,
// or it says what it cannot prove.
func TestTamperingIsFound(t *testing.T) {
	harness.NeedSQLite(t) // on PostgreSQL: TestTamperingIsFoundOnPostgreSQL
	t.Parallel()
	w := harness.Start(t)
	ws := w.Workspace(who, repository)
	for n := range 4 {
		w.Must(who, ws, fmt.Sprintf("echo %d >>n && git add n && git commit -qm n && git push -q origin HEAD", n))
		before := lines(t, w)
		w.Eventually("it is in the log, under a checkpoint of its own", func() bool { return lines(t, w) > before })
	}
	w.Stop()
	for _, c := range tamperings {
		t.Run(c.name, func(t *testing.T) {
			e := evidence{T: t, data: t.TempDir(), checkpoints: filepath.Join(t.TempDir(), "checkpoints")}
			if err := os.Mkdir(filepath.Join(e.data, "server"), 0o700); err != nil {
				t.Fatal(err)
			}
			copied(t, server.DatabaseFile(filepath.Join(w.Data, "server")), server.DatabaseFile(filepath.Join(e.data, "server")))
			copied(t, filepath.Join(w.Data, "checkpoints"), e.checkpoints)
			e.DB = database(t, e.data)
			c.do(e)
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			for _, v := range []struct {
				args []string
				want string
			}{{nil, c.without}, {[]string{"--checkpoint", e.checkpoints}, c.with}} {
				said := w.Lanyard(append([]string{"audit", "verify", "--data", e.data}, v.args...)...)
				status, finds := 0, ""
				if v.want == broken {
					status, finds = 1, c.finds
				}
				if said.Status != status || !strings.Contains(said.Out, v.want) || !strings.Contains(said.Out, finds) {
					t.Errorf("audit verify %v ended with %d, want %d, %q and %q:\n%s%s", v.args, said.Status, status, v.want, finds, said.Out, said.Err)
				}
			}
		})
	}
}

// A server that is started on a log that was tampered with does not sign over it.
func TestServerOnATamperedLog(t *testing.T) {
	t.Parallel()
	w := harness.Start(t)
	w.SignIn(who)
	before := lines(t, w)
	w.Eventually("something is in the log", func() bool { return lines(t, w) >= min(before+1, 4) })
	w.Stop()
	e := evidence{T: t, DB: database(t, w.Data)}
	forge := `UPDATE audit_entries SET leaf = CAST(replace(CAST(leaf AS TEXT), 'done', 'dome') AS BLOB) WHERE seq = 1`
	if harness.OnPostgreSQL() {
		forge = `UPDATE audit_entries SET leaf = convert_to(replace(convert_from(leaf, 'UTF8'), 'done', 'dome'), 'UTF8') WHERE seq = 1`
	}
	e.change(forge)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	w.Run()
	w.SignIn("grace")
	w.Eventually("the log goes on", func() bool { return lines(t, w) > before+1 })
	if said := w.Lanyard("audit", "verify"); said.Status != 1 || !strings.Contains(said.Out, "changed") {
		t.Errorf("audit verify: %+v", said)
	}
}

func lines(t *testing.T, w *harness.World) int {
	t.Helper()
	var log strings.Builder
	if err := w.Operator.ExportAudit(w.Context(), &log); err != nil {
		t.Fatal(err)
	}
	return strings.Count(log.String(), "\n")
}

func copied(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
