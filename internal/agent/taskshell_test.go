package agent

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// An image may have no bash: the same steps run in any shell.
func TestTaskStepsRunInAnyShell(t *testing.T) {
	steps := map[string]string{"before": "export A=a", "init": `[ "$A" = a ]`, "command": "cd / && (exit 4)"}
	files, err := makeTaskFiles(filepath.Join(t.TempDir(), "it's here"), agentapi.Task{ID: "task-1"}, steps, true)
	if err != nil {
		t.Fatal(err)
	}
	defer files.close()
	cmd := exec.Command("/bin/sh", "-c", ". "+quoteShell(filepath.Join(files.dir, "run")))
	if out, err := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 4 {
		t.Fatalf("%v %s", err, out)
	}
	lines := bufio.NewScanner(files.report)
	for _, want := range []string{"begin before", "end before 0", "begin init", "end init 0", "begin command", "end command 4", "over 4"} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("%q, not %q (%v)", lines.Text(), want, lines.Err())
		}
	}
}
