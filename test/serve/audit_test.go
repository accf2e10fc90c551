package serve

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/test/harness"
)

// checkAudit uses the log of a running server as an auditor does: finds, proves, exports, verifies elsewhere, and has a
// person forgotten.
func checkAudit(t *testing.T, w *harness.World, dir string) {
	t.Helper()
	lanyard := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(w.Program(), append(args, "--socket", filepath.Join(dir, "data", "lanyard.sock"))...).CombinedOutput()
		if err != nil {
			t.Errorf("lanyard %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	key := strings.TrimSpace(lanyard("audit", "key"))
	if out := lanyard("audit", "prove", "0", "--key", key); !strings.Contains(out, "The proof holds, with the key that was given") {
		t.Errorf("audit prove: %s", out)
	}
	if out := lanyard("audit", "consistency", "1"); !strings.Contains(out, "The proof holds") {
		t.Errorf("audit consistency: %s", out)
	}
	w.Eventually("the index has what was done", func() bool {
		return strings.Contains(lanyard("audit", "search", "--action", "project:change", "--outcome", "done", "--since", "1h", "--json"), `"project:change"`)
	})
	if out := lanyard("audit", "search", "--project", "nowhere"); strings.Contains(out, "project:change") {
		t.Errorf("audit search finds what was not asked for: %s", out)
	}
	// Elsewhere: checkpoints first, the export then, and neither server nor database.
	copied, err := os.ReadFile(in("checkpoints"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("kept"), copied, 0o600); err != nil {
		t.Fatal(err)
	}
	lanyard("audit", "export", "--output", in("export.jsonl"))
	w.Eventually("the receiver has as much", func() bool {
		lines, err := os.ReadFile(in("audit.jsonl"))
		return err == nil && strings.Count(string(lines), "\n") >= 3
	})
	if out := lanyard("audit", "verify", "--export", in("export.jsonl"), "--checkpoint", in("kept"), "--key", key); !strings.Contains(out, "consistent") {
		t.Errorf("audit verify --export: %s", out)
	}
	lanyard("audit", "forget", "ada")
	if out := lanyard("audit", "verify"); !strings.Contains(out, "consistent") {
		t.Errorf("audit verify: %s", out)
	}
}
