package inside

import (
	"context"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command that needs something says what, with an example that is its own, under the name it was called by.
func TestMissingArgumentsAreNamed(t *testing.T) {
	p := newPlace(t, nil)
	for _, program := range []string{"gp", "lanyard"} {
		a := &app{c: Config{Program: program, Env: func(string) string { return "" }}}
		var walk func(*cobra.Command)
		walk = func(cmd *cobra.Command) {
			for _, c := range cmd.Commands() {
				walk(c)
			}
			path := strings.Fields(cmd.CommandPath())
			for line := range strings.SplitSeq(cmd.Example, "\n") {
				if line != "" && !strings.Contains(line, cmd.CommandPath()) {
					t.Errorf("%s: an example is %q", cmd.CommandPath(), line)
				}
			}
			if cmd.Args == nil || cmd.Args(cmd, nil) == nil {
				return
			}
			status, _, errs := p.run(program, path[1:]...)
			if status != 2 || !strings.Contains(errs, "` needs ") || !strings.Contains(errs, "For example: "+cmd.CommandPath()) || strings.Contains(errs, "arg(s)") {
				t.Errorf("%s: %d %s", cmd.CommandPath(), status, errs)
			}
		}
		root := a.root()
		root.SetContext(context.Background())
		walk(root)
	}
}
