package gitproxy

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestAttack30NoGitRunsHere: the gateway reads what passes and runs no program on it, so nothing of a repository can act in
// the server.
func TestAttack30NoGitRunsHere(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range parsed.Imports {
			if path := strings.Trim(i.Path.Value, `"`); path == "os/exec" || path == "syscall" || path == "os" || strings.HasPrefix(path, "plugin") {
				t.Errorf("%s imports %s", file, path)
			}
		}
	}
}

// TestAttack29RefsThatMeanSomethingElse: a push names refs by their whole names, by which rules know them.
func TestAttack29RefsThatMeanSomethingElse(t *testing.T) {
	for _, name := range []string{
		"HEAD", "--upload-pack=x", "-x", "main", "heads/main", "refs/heads/../heads/main", "refs/heads//main", "refs/heads/main/", "refs/heads/main.lock",
		"refs/heads/a b", "refs/heads/a\tb", "refs/heads/a\x7f", "refs/heads/@{1}", "refs/heads/a~1", "refs/heads/a^", "refs/heads/a:b", "refs/heads/*", "refs/heads/a\\b", "",
	} {
		if _, err := readCommands(newPackets(strings.NewReader(pkt(idA+" "+idB+" "+name+"\x00report-status")+flushPacket), make([]byte, maxPacket))); err == nil {
			t.Errorf("%q is taken for a ref", name)
		}
	}
}
