package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

// TestProofs proves every event, and every pair of sizes, and refuses what was changed on the way.
func TestProofs(t *testing.T) {
	onEach(t, func(t *testing.T, db storetest.Database) {
		s, k := db.Open(t, "one"), newKey(t)
		l := newLog(s, k, "one")
		fill(t, l, 3, 5, 4)
		for seq := range int64(12) {
			p, err := l.ProveInclusion(t.Context(), seq)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			var read audit.Inclusion
			if err := json.Unmarshal(text, &read); err != nil {
				t.Fatal(err)
			}
			if err := read.Check(k.verifier); err != nil {
				t.Errorf("event %d: %v", seq, err)
			}
			if !strings.Contains(read.Event, `"Ada"`) {
				t.Errorf("event %d has no name: %s", seq, read.Event)
			}
			for name, change := range map[string]func(*audit.Inclusion){
				"the name":       func(p *audit.Inclusion) { p.Event = strings.Replace(p.Event, "Ada", "Bob", 1) },
				"the outcome":    func(p *audit.Inclusion) { p.Event = strings.Replace(p.Event, "done", "dont", 1) },
				"the position":   func(p *audit.Inclusion) { p.Seq = (p.Seq + 1) % 12 },
				"a hash":         func(p *audit.Inclusion) { p.Proof[0][3] ^= 1 },
				"the leaf":       func(p *audit.Inclusion) { p.Event, p.Leaf = "", tlog.Hash{} },
				"the size":       func(p *audit.Inclusion) { p.Size-- },
				"the checkpoint": func(p *audit.Inclusion) { p.Checkpoint = strings.Replace(p.Checkpoint, "\n12\n", "\n13\n", 1) },
				"another's key":  func(p *audit.Inclusion) { p.Checkpoint = "" },
				"the event's salt": func(p *audit.Inclusion) {
					p.Event = strings.Replace(p.Event, `"salts":{"object":"`, `"salts":{"object":"A`, 1)
				},
			} {
				var changed audit.Inclusion
				if err := json.Unmarshal(text, &changed); err != nil {
					t.Fatal(err)
				}
				if change(&changed); changed.Check(k.verifier) == nil {
					t.Errorf("event %d: %s changed, and the proof holds", seq, name)
				}
			}
		}
		for old := int64(1); old <= 12; old++ {
			for new := old; new <= 12; new++ {
				p, err := l.ProveConsistency(t.Context(), old, new)
				if err != nil {
					t.Fatal(err)
				}
				if err := p.Check(k.verifier); err != nil {
					t.Errorf("%d and %d: %v", old, new, err)
				}
				p.OldRoot[0] ^= 1
				if p.Check(k.verifier) == nil {
					t.Errorf("%d and %d: another root is proven", old, new)
				}
			}
		}
		p, err := l.ProveConsistency(t.Context(), 3, 0)
		if err != nil || p.New != 12 || p.OldCheckpoint == "" || p.NewCheckpoint == "" {
			t.Errorf("%+v, %v", p, err)
		}
		if _, err := l.ProveInclusion(t.Context(), 12); problem.KindOf(err) != problem.NotFound {
			t.Error(err)
		}
		if _, err := l.ProveConsistency(t.Context(), 5, 3); problem.KindOf(err) != problem.Invalid {
			t.Error(err)
		}
	})
}

// exported is an export's lines.
func exported(t testing.TB, rows audit.Reader, from int64) []string {
	t.Helper()
	var b bytes.Buffer
	if err := audit.Export(context.Background(), rows, from, &b); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func verifyLines(t testing.TB, k key, copied []byte, lines []string) audit.Report {
	t.Helper()
	r, err := audit.VerifyExport(strings.NewReader(strings.Join(lines, "\n")+"\n"), k.verifier, copied)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestVerifyExport tampers with an export.
func TestVerifyExport(t *testing.T) {
	onEach(t, func(t *testing.T, db storetest.Database) {
		s, k := db.Open(t, "one"), newKey(t)
		file := filepath.Join(t.TempDir(), "copy")
		fill(t, newLog(s, k, "one", file), 4, 5, 7, 7)
		copied := read(t, file)
		lines := exported(t, s, 0)
		if r := verifyLines(t, k, copied, lines); !r.OK() || r.Complete != 23 || r.Size != 23 || r.Conclusion() != "consistent and complete" || r.KeyFrom != audit.KeyGiven {
			t.Fatalf("as it was written: %s", r)
		}
		if r := verifyLines(t, newKey(t), copied, lines); r.OK() {
			t.Errorf("by another key: %s", r)
		}
		if r := verifyLines(t, k, nil, lines); r.Complete != 0 {
			t.Errorf("without a copy: %s", r)
		}
		for name, c := range map[string]struct {
			do   func([]string) []string
			want string
		}{
			"a line dropped":  {func(l []string) []string { return append(l[:5:5], l[6:]...) }, "dropped 5"},
			"a line repeated": {func(l []string) []string { return append(l[:6:6], l[5:]...) }, "swapped 5"},
			"lines reordered": {func(l []string) []string { l[5], l[6] = l[6], l[5]; return l }, "dropped 5"},
			"lines exchanged and renumbered": {func(l []string) []string {
				l[5], l[6] = strings.Replace(l[6], `{"seq":6,`, `{"seq":5,`, 1), strings.Replace(l[5], `{"seq":5,`, `{"seq":6,`, 1)
				return l
			}, "rewritten 4-8"},
			"an outcome":       {func(l []string) []string { l[5] = strings.Replace(l[5], `"done"`, `"dont"`, 1); return l }, "rewritten 4-8"},
			"a name":           {func(l []string) []string { l[5] = strings.Replace(l[5], `"Ada"`, `"Bob"`, 1); return l }, "rewritten 4-8"},
			"a salt":           {func(l []string) []string { l[5] = strings.Replace(l[5], `"name":"`, `"name":"A`, 2); return l }, "changed 5"},
			"salts left out":   {func(l []string) []string { l[5] = l[5][:strings.Index(l[5], `,"salts"`)] + "}"; return l }, "rewritten 4-8"},
			"a line made up":   {func(l []string) []string { return append(l, `{"seq":23,"action":"x"}`) }, ""},
			"the end cut off":  {func(l []string) []string { return l[:20] }, "truncated 20-22"},
			"cut at a size":    {func(l []string) []string { return l[:16] }, "truncated 16-22"},
			"nothing left":     {func([]string) []string { return nil }, "truncated 0-22"},
			"a line of rubish": {func(l []string) []string { l[5] = "rubbish"; return l }, "changed 5"},
			"as if by age": {func(l []string) []string {
				l[0] = fmt.Sprintf(`{"seq":0,"pruned":%q}`, tlog.RecordHash([]byte("x")))
				return l
			}, "dropped 0"},
			"a beginning made up": {func(l []string) []string {
				return append([]string{fmt.Sprintf(`{"from":4,"edge":[%q]}`, tlog.Hash{})}, l[4:]...)
			}, "rewritten 0-3"},
		} {
			r := verifyLines(t, k, copied, c.do(append([]string{}, lines...)))
			if c.want == "" {
				if !r.OK() || r.Complete != 23 || r.Size != 24 { // it says that this one is unproven
					t.Errorf("%s: %s", name, r)
				}
				continue
			}
			if r.OK() || found(r.Findings[0]) != c.want {
				t.Errorf("%s: wanted %s\n%s", name, c.want, r)
			}
		}
		for from := range int64(24) {
			r := verifyLines(t, k, copied, exported(t, s, from))
			if !r.OK() || r.Complete != 23 || r.Skipped != from {
				t.Errorf("from %d: %s", from, r)
			}
		}
	})
}

// TestPersonalData erases a person: the tree stays whole, nothing finds or shows them, and the log says that it was done.
func TestPersonalData(t *testing.T) {
	onEach(t, func(t *testing.T, db storetest.Database) {
		ctx := t.Context()
		s, k := db.Open(t, "one"), newKey(t)
		file := filepath.Join(t.TempDir(), "copy")
		l := newLog(s, k, "one", file)
		bob := audit.PersonOf(identity.UserID{Tenant: "contoso", Object: "bob"}, "Bob <b>\x1b[31m\xff")
		fill(t, l, 3)
		if err := l.Durable(ctx, audit.Event{Action: "signin", User: bob, IP: "192.0.2.7"}, audit.Event{Action: "x", IP: "192.0.2.8"}); err != nil {
			t.Fatal(err)
		}
		l.Lead(ctx)
		raw, err := s.Leaves(ctx, -1, 9)
		if err != nil {
			t.Fatal(err)
		}
		for _, leaf := range raw {
			for _, value := range []string{"Ada", `"ada"`, "Bob", `"bob"`, "192.0.2"} {
				if bytes.Contains(leaf.Body, []byte(value)) {
					t.Errorf("the leaf holds %s: %s", value, leaf.Body)
				}
			}
		}
		if e, err := raw[3].Event(); err != nil || e.User.Name != "Bob <b>\x1b[31m\uFFFD" || e.User.Object != "bob" || e.IP != "192.0.2.7" {
			t.Errorf("%v, %v", e, err)
		}
		if n, err := l.Forget(ctx, "ada", audit.Event{Actor: "operator"}); n != 3 || err != nil {
			t.Fatal(n, err)
		}
		l.Lead(ctx) // which also files what Forget wrote
		if n, err := l.Forget(ctx, "ada", audit.Event{Actor: "operator"}); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		l.Lead(ctx)
		page, err := l.Search(ctx, audit.Filter{Oldest: true})
		if err != nil || len(page.Events) != 6 {
			t.Fatalf("%v, %v", page, err)
		}
		for n, e := range page.Events {
			if erased := n < 3; erased != (e.User != nil && e.User.Name == audit.ErasedText && e.User.Object == audit.ErasedText) {
				t.Errorf("event %d: %v", n, e)
			}
		}
		if last := page.Events[5]; last.Action != audit.ForgetAction || last.Actor != "operator" || fmt.Sprint(last.Detail["events"]) != "3" {
			t.Errorf("%v", last)
		}
		if page, err := l.Search(ctx, audit.Filter{Person: "ada"}); err != nil || len(page.Events) != 0 {
			t.Errorf("still found: %v, %v", page, err)
		}
		if page, err := l.Search(ctx, audit.Filter{Person: "bob"}); err != nil || len(page.Events) != 1 {
			t.Errorf("also gone: %v, %v", page, err)
		}
		if r := verify(t, s, k, read(t, file)); !r.OK() || r.Erased != 3 || r.Complete != 6 {
			t.Errorf("%s", r)
		}
		if r := verifyLines(t, k, read(t, file), exported(t, s, 0)); !r.OK() || r.Erased != 3 || r.Complete != 6 {
			t.Errorf("%s", r)
		}
	})
}

// TestRetention removes old events. What is left proves that nothing else was removed, and where from.
func TestRetention(t *testing.T) {
	onEach(t, func(t *testing.T, db storetest.Database) {
		ctx := t.Context()
		s, k := db.Open(t, "one"), newKey(t)
		file := filepath.Join(t.TempDir(), "copy")
		l := audit.New(audit.Config{Rows: s, Signer: k.signer, Holder: "one", Copies: []string{file}, Retention: 400 * 24 * time.Hour})
		now := time.Now()
		for n := range 10 {
			e := event(n)
			e.Time = now.Add(-time.Duration(500-n*20) * 24 * time.Hour) // 500 days old, 480, … 320
			if err := l.Durable(ctx, e); err != nil {
				t.Fatal(err)
			}
			if n%3 == 0 {
				l.Lead(ctx)
			}
		}
		l.Lead(ctx)
		l.Prune(ctx, now.Add(time.Hour))
		l.Lead(ctx)
		l.Prune(ctx, now.Add(time.Hour)) // nothing more
		l.Lead(ctx)
		if p := l.Status().Problem; p != "" {
			t.Fatal(p)
		}
		leaves, err := s.Leaves(ctx, -1, 100)
		if err != nil || len(leaves) != 5 || leaves[0].Seq != 6 { // of 380 days and less, and the one that says so
			t.Fatalf("%d events from %v on, %v", len(leaves), leaves, err)
		}
		if e, err := leaves[4].Event(); err != nil || e.Action != "audit:prune" || fmt.Sprint(e.Detail["events"]) != "6" {
			t.Errorf("%v, %v", e, err)
		}
		if r := verify(t, s, k, read(t, file)); !r.OK() || r.Pruned != 6 || r.Complete != 11 || !strings.Contains(r.String(), "events 0 to 5 because of their age") {
			t.Errorf("%s", r)
		}
		lines := exported(t, s, 0)
		if r := verifyLines(t, k, read(t, file), lines); !r.OK() || r.Pruned != 6 || r.Complete != 11 {
			t.Errorf("%s", r)
		}
		if r := verifyLines(t, k, read(t, file), exported(t, s, 3)); !r.OK() || r.Complete != 11 {
			t.Errorf("%s", r)
		}
		if r := verifyLines(t, k, read(t, file), lines[1:]); r.OK() {
			t.Errorf("without the statement: %s", r)
		}
		p, err := l.ProveInclusion(ctx, 2)
		if err != nil || p.Event != "" || p.Check(k.verifier) != nil {
			t.Errorf("a removed event: %+v, %v", p, err)
		}
		if page, err := l.Search(ctx, audit.Filter{Person: "ada"}); err != nil || len(page.Events) != 4 {
			t.Errorf("found %v, %v", page, err)
		}
		// One more than the statement says.
		tampering{t, db.Raw(t), s, k}.exec(`DELETE FROM audit_entries WHERE seq = 6`)
		if r := verify(t, s, k, nil); r.OK() || !strings.Contains(fmt.Sprint(r.Findings), "dropped 6") && found(r.Findings[0]) != "dropped 6" {
			t.Errorf("%s", r)
		}
	})
}

// TestOlderLogPutBack starts a server on a copy of the database from before, beside a checkpoint from after it.
func TestOlderLogPutBack(t *testing.T) {
	onEach(t, func(t *testing.T, db storetest.Database) {
		ctx, k := t.Context(), newKey(t)
		file := filepath.Join(t.TempDir(), "copy")
		server, err := store.Open(ctx, config(db.Config, "server"))
		if err != nil {
			t.Fatal(err)
		}
		l := newLog(server, k, "server", file)
		fill(t, l, 4, 5)
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
		// The older log: what was written since is gone from every table.
		older := db.Open(t, "older")
		tamper := tampering{t, db.Raw(t), older, k}
		tamper.exec(`DELETE FROM audit_entries WHERE seq >= 4`)
		tamper.exec(`DELETE FROM audit_index WHERE seq >= 4`)
		tamper.exec(`UPDATE audit_positions SET position = 4`)
		tamper.exec(`UPDATE audit_pending_head SET num = 4`)
		tamper.exec(`DELETE FROM audit_checkpoints WHERE size > 4`)
		tamper.cutHashes(tlog.StoredHashCount(4))

		if r := verify(t, older, k, read(t, file)); r.OK() || found(r.Findings[0]) != "truncated 4-8" {
			t.Errorf("%s", r)
		}
		again := newLog(older, k, "again", file)
		for deadline := time.Now().Add(20 * time.Second); !again.Status().Leading; time.Sleep(50 * time.Millisecond) {
			if err := again.Durable(ctx, event(1)); err != nil {
				t.Fatal(err)
			}
			if again.Lead(ctx); time.Now().After(deadline) {
				t.Fatal("nobody leads")
			}
		}
		if p := again.Status().Problem; !strings.Contains(p, "the copy knows of 9 events, the log has 4") {
			t.Errorf("the status says %q", p)
		}
		// It stays known when the copy has newer checkpoints of the shorter log, too.
		if r := verify(t, older, k, read(t, file)); r.OK() {
			t.Errorf("%s", r)
		}
	})
}
