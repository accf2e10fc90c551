package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command that needs something says what, with an example; and every example is of its command.
func TestMissingArgumentsAreNamed(t *testing.T) {
	run := func(args ...string) (int, string) {
		var out, errs bytes.Buffer
		c := Config{Program: "lanyard", Env: func(string) string { return "" }, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
		return Run(t.Context(), c, args), errs.String()
	}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			walk(c)
		}
		if cmd.Args == nil || cmd.Args(cmd, nil) == nil || cmd.Hidden {
			return
		}
		if cmd.Example == "" || !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("%s has no example: %q", cmd.CommandPath(), cmd.Example)
		}
		status, errs := run(strings.Fields(cmd.CommandPath())[1:]...)
		if status != exitUsage || !strings.Contains(errs, "` needs ") || strings.Contains(errs, "arg(s)") {
			t.Errorf("%s: %d %s", cmd.CommandPath(), status, errs)
		}
	}
	a := &app{c: Config{Env: func(string) string { return "" }}}
	root := a.root()
	root.SetContext(context.Background())
	walk(root)
	if status, errs := run("list", "a"); status != exitUsage || !strings.Contains(errs, "`lanyard list` takes no arguments") {
		t.Error(status, errs)
	}
	if status, errs := run("doctor"); status != exitUsage || !strings.Contains(errs, "did you mean `lanyard entra doctor`?") {
		t.Error(status, errs)
	}
}
