package audit_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

const origin = "lanyard.example.test/audit"

func TestMain(m *testing.M) {
	if os.Getenv(childKey) != "" {
		writeUntilKilled()
	}
	os.Exit(m.Run())
}

// key is a log's signing key.
type key struct {
	private  string
	signer   note.Signer
	verifier note.Verifier
}

func newKey(t testing.TB) key {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	return key{private, signer, verifier}
}

// onEach runs a test on both databases.
func onEach(t *testing.T, test func(*testing.T, storetest.Database)) {
	t.Run("SQLite", func(t *testing.T) { test(t, storetest.SQLite(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, storetest.OnPostgreSQL(t)) })
}

func newLog(rows audit.Rows, k key, holder string, copies ...string) *audit.Log {
	return audit.New(audit.Config{Rows: rows, Signer: k.signer, Holder: holder, Copies: copies})
}

func event(n int) audit.Event {
	ada := identity.UserID{Tenant: "contoso", Object: "ada"}
	return audit.Event{Action: "repo:write", Outcome: audit.Done, User: audit.PersonOf(ada, "Ada"), Workspace: "w-1", Detail: map[string]any{"n": n}}
}

// fill writes events in batches of the given sizes, each with its checkpoint.
func fill(t testing.TB, l *audit.Log, batches ...int) {
	t.Helper()
	n := 0
	for _, size := range batches {
		for range size {
			if err := l.Durable(t.Context(), event(n)); err != nil {
				t.Fatal(err)
			}
			n++
		}
		l.Lead(t.Context())
	}
	if s := l.Status(); s.Problem != "" || s.Size != int64(n) {
		t.Fatalf("%+v", s)
	}
}

func verify(t testing.TB, rows audit.Reader, k key, copied []byte) audit.Report {
	t.Helper()
	r, err := audit.Verify(context.Background(), rows, k.verifier, audit.KeyGiven, copied)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func config(c store.Config, origin string) store.Config {
	c.Origin = origin
	return c
}

func number(e audit.Event) string { return fmt.Sprint(e.Detail["n"]) }
