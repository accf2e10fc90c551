package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/mod/sumdb/note"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/store"
)

// verifierFile holds the public key of the log that the script command `log` makes.
const verifierFile = "log.key"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lanyard": func() {
		os.Exit(Run(context.Background(), Config{
			Dev: func(_ context.Context, o DevOptions) error {
				fmt.Printf("dev %s %s %s %t\n", o.Data, o.Listen, o.Runtime, o.JSON)
				return nil
			},
			Serve: func(_ context.Context, config string) error {
				fmt.Println("serve", config)
				return nil
			},
			DatabaseFile: func(data string) string { return data + "/lanyard.db" },
			VerifyAudit:  verify,
			Version:      "v1.2.3", Env: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		}, os.Args[1:]))
	}})
}

func verify(ctx context.Context, rows *store.Store, copies []string, given string) (audit.Report, error) {
	key, err := os.ReadFile(verifierFile)
	if err != nil {
		return audit.Report{}, err
	}
	from := audit.KeyFromDatabase
	if given != "" {
		key, from = []byte(given), audit.KeyGiven
	}
	verifier, err := note.NewVerifier(string(key))
	if err != nil {
		return audit.Report{}, err
	}
	var copied []byte
	for _, path := range copies {
		if copied, err = os.ReadFile(path); err != nil {
			return audit.Report{}, err
		}
	}
	return audit.Verify(ctx, rows, verifier, from, copied)
}

// TestScripts plays testdata/script: what the command line says and how it ends, without a server.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, // exits STATUS PROGRAM ARGUMENT…
			"log":   makeLog,
			"export": func(ts *testscript.TestScript, _ bool, args []string) { // export DATA FILE
				rows, err := store.Open(context.Background(), store.Config{SQLite: ts.MkAbs(args[0]) + "/lanyard.db", ReadOnly: true})
				ts.Check(err)
				defer rows.Close()
				to, err := os.Create(ts.MkAbs(args[1]))
				ts.Check(err)
				ts.Check(audit.Export(context.Background(), rows, 0, to))
				ts.Check(to.Close())
			},
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_DATA_HOME", e.WorkDir+"/xdg")
			e.Setenv("LANYARD_SOCKET", e.WorkDir+"/no.sock")
			return nil
		},
	})
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, not %d", got, want)
	}
}

// makeLog makes a data folder whose audit log has two events, and files of its key and its checkpoints.
func makeLog(ts *testscript.TestScript, _ bool, args []string) {
	data := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(data, 0o755))
	private, public, err := note.GenerateKey(nil, "lanyard.example.test/audit")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(verifierFile), []byte(public), 0o600))
	signer, err := note.NewSigner(private)
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	rows, err := store.Open(ctx, store.Config{SQLite: data + "/lanyard.db"})
	ts.Check(err)
	defer func() { ts.Check(rows.Close()) }()
	log := audit.New(audit.Config{Rows: rows, Signer: signer, Holder: "test", Copies: []string{ts.MkAbs("checkpoints")}})
	for _, action := range []string{"signin", "repo:write"} {
		log.Later(audit.Event{Time: time.Now(), Action: action, Outcome: audit.Done})
	}
	cancel()
	ts.Check(log.Run(ctx)) // once more at its end
}
