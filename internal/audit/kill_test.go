package audit_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

// The test binary runs itself as the server that is killed.
const (
	childKey        = "LANYARD_TEST_CHILD_KEY"
	childSQLite     = "LANYARD_TEST_CHILD_SQLITE"
	childPostgreSQL = "LANYARD_TEST_CHILD_POSTGRESQL"
	childName       = "LANYARD_TEST_CHILD_NAME"
	childCopy       = "LANYARD_TEST_CHILD_COPY"
)

// grown is what the child prints when it leads, and whenever the log has become longer since.
const grown = "grown"

// writeUntilKilled writes durable events from several callers, and prints each one's name when it is acknowledged.
func writeUntilKilled() {
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	signer, err := note.NewSigner(os.Getenv(childKey))
	if err != nil {
		fail(err)
	}
	name := os.Getenv(childName)
	s, err := store.Open(context.Background(), config(store.Config{SQLite: os.Getenv(childSQLite), PostgreSQL: os.Getenv(childPostgreSQL)}, name))
	if err != nil {
		fail(err)
	}
	l := newLog(s, key{signer: signer}, name, os.Getenv(childCopy))
	go l.Run(context.Background())
	acknowledged := make(chan string)
	for caller := range 8 {
		go func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%s-%d-%d", name, caller, n)
				if err := l.Durable(context.Background(), audit.Event{Action: "test", Detail: map[string]any{"id": id}}); err != nil {
					fail(err)
				}
				acknowledged <- id
			}
		}()
	}
	said := int64(-1)
	for id := range acknowledged {
		fmt.Println(id)
		if now := l.Status(); now.Leading && now.Size != said {
			said = now.Size
			fmt.Println(grown)
		}
	}
}

// TestKilled kills the writing process at several moments. What it acknowledged is in the log, once.
func TestKilled(t *testing.T) { onEach(t, killed) }

func killed(t *testing.T, db storetest.Database) {
	ctx, k := t.Context(), newKey(t)
	copied := filepath.Join(t.TempDir(), "copy")
	want := map[string]int{}
	rounds := 2
	if os.Getenv("LANYARD_SLOW") != "" {
		rounds = 5
	}
	for round := range rounds {
		child := exec.Command(os.Args[0])
		child.Stderr = os.Stderr
		child.Env = append(os.Environ(), childKey+"="+k.private, childSQLite+"="+db.Config.SQLite, childPostgreSQL+"="+db.Config.PostgreSQL,
			childName+"="+fmt.Sprint("round", round), childCopy+"="+copied)
		// Some are killed while they take in their first batch, others when several are in the log and copied.
		killWhen(t, child, []int{3, 1, 2, 1, 4}[round], 50+37*round, want)
	}
	s := db.Open(t, "after")
	if r := verify(t, s, k, read(t, copied)); !r.OK() || r.Size == 0 {
		t.Errorf("before anybody leads again:\n%s", r)
	}
	l := newLog(s, k, "after", copied)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		l.Lead(ctx)
		if sizes, err := s.Sizes(ctx); err != nil {
			t.Fatal(err)
		} else if sizes.Given == sizes.Signed {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("events stay pending: %+v", l.Status())
		}
	}
	for after := int64(-1); ; {
		events, err := l.Events(ctx, after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Seq != after+1 {
				t.Fatalf("event %d comes after %d", e.Seq, after)
			}
			after = e.Seq
			id := e.Detail["id"].(string)
			if want[id]--; want[id] < -1 {
				t.Errorf("%s is there twice", id)
			}
		}
		if len(events) == 0 {
			break
		}
	}
	for id, n := range want {
		if n > 0 {
			t.Errorf("%s was acknowledged and is not there", id)
		}
	}
	if r := verify(t, s, k, read(t, copied)); !r.OK() || r.Complete != r.Size {
		t.Errorf("afterwards:\n%s", r)
	}
}

// killWhen starts a child, waits until it leads and its log has had so many sizes and it has acknowledged more events
// since then, and kills it.
func killWhen(t *testing.T, child *exec.Cmd, sizes, more int, acknowledged map[string]int) {
	t.Helper()
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(60*time.Second, func() { _ = child.Process.Kill() })
	defer stuck.Stop()
	killed := false
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil { // a line that was cut short acknowledges nothing
			break
		}
		switch line = strings.TrimSuffix(line, "\n"); {
		case line == grown:
			sizes--
		default:
			acknowledged[line] = 1
			if sizes <= 0 {
				more--
			}
		}
		if more <= 0 && !killed {
			killed = true
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // it says "killed"
	if !killed {
		t.Fatal("the child ended by itself, or never led")
	}
}
