package cmdline

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestWhatIsMissingIsNamed(t *testing.T) {
	for _, c := range []struct {
		use, example string
		check        cobra.PositionalArgs
		args         []string
		want         string
	}{
		{"preview URL", "gp preview http://localhost:3000", cobra.ExactArgs(1), nil, "`gp preview` needs URL.\nFor example: gp preview http://localhost:3000"},
		{"start CONTEXT-URL | WORKSPACE", "", cobra.ExactArgs(1), nil, "`gp start` needs CONTEXT-URL or WORKSPACE."},
		{"start CONTEXT-URL | WORKSPACE", "", cobra.ExactArgs(1), []string{"a", "b"}, "`gp start` takes no more than CONTEXT-URL or WORKSPACE; \"b\" is too much."},
		{"list", "", cobra.NoArgs, []string{"a"}, "`gp list` takes no arguments, and \"a\" is one."},
		{"exec WORKSPACE [--] COMMAND [ARGUMENT…]", "  gp exec w-1 -- ls\n  gp exec w-1 -- a", cobra.MinimumNArgs(2), []string{"w-1"}, "`gp exec` needs COMMAND.\nFor example: gp exec w-1 -- ls"},
		{"request ACTION RESOURCE --why TEXT", "", cobra.ExactArgs(2), nil, "`gp request` needs ACTION and RESOURCE."},
		{"break-glass USER PROJECT ROLE --why TEXT", "", cobra.ExactArgs(3), nil, "`gp break-glass` needs USER, PROJECT and ROLE."},
		{"timeout WORKSPACE [DURATION | default | extend]", "", cobra.RangeArgs(1, 2), nil, "`gp timeout` needs WORKSPACE."},
		{"set NAME=VALUE… | NAME", "", cobra.MinimumNArgs(1), nil, "`gp set` needs NAME=VALUE."},
		{"show USER|GROUP", "", cobra.ExactArgs(1), nil, "`gp show` needs USER or GROUP."},
		{"run --as NAME [--allow LINE]… [--for 30m] -- COMMAND [ARGUMENT…]", "", cobra.MinimumNArgs(1), nil, "`gp run` needs COMMAND."},
		{"token (--audience NAME | --list)", "", cobra.NoArgs, []string{"x"}, "`gp token` takes no arguments, and \"x\" is one."},
		{"backup --config FILE --to FILE", "", cobra.NoArgs, []string{"x"}, "`gp backup` takes no arguments, and \"x\" is one."},
		{"url [PORT]", "gp url 3000", cobra.MaximumNArgs(1), []string{"1", "2"}, "`gp url` takes no more than PORT; \"2\" is too much.\nFor example: gp url 3000"},
	} {
		root := &cobra.Command{Use: "gp", SilenceErrors: true, SilenceUsage: true}
		root.AddCommand(&cobra.Command{Use: c.use, Example: c.example, Args: c.check, Run: func(*cobra.Command, []string) {}})
		Explain(root)
		name, _, _ := strings.Cut(c.use, " ")
		root.SetArgs(append([]string{name}, c.args...))
		if err := root.Execute(); err == nil || err.Error() != c.want {
			t.Errorf("%s %q: %v", c.use, c.args, err)
		}
	}
}
