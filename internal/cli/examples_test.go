package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// What the help shows can be typed: every example names a command, its flags and the arguments that it takes.
func TestExamplesCanBeTyped(t *testing.T) {
	fresh := func() *cobra.Command {
		a := &app{c: Config{Env: func(string) string { return "" }}}
		return a.root()
	}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			walk(c)
		}
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			line, isOurs := strings.CutPrefix(strings.TrimSpace(line), "lanyard ")
			if !isOurs {
				continue
			}
			line, _, _ = strings.Cut(line, "   #")
			words := typed(line)
			found, args, err := fresh().Find(words)
			if err == nil {
				err = found.ParseFlags(args)
			}
			if err == nil && found.Args != nil {
				err = found.Args(found, found.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: %q: %v", cmd.CommandPath(), line, err)
			}
		}
	}
	walk(fresh())
}

// typed splits a line into words as a shell does, up to what is another command or a file.
func typed(line string) []string {
	var words []string
	var word strings.Builder
	quote, begun := rune(0), false
	for _, r := range line + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote == 0 && r == '(': // $(…)
			quote = ')'
		case quote == 0 && r == ' ':
			if begun || word.Len() > 0 {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
		}
	}
	if i := slices.IndexFunc(words, func(w string) bool { return strings.ContainsAny(w[:min(1, len(w))], "|<>&") }); i >= 0 {
		words = words[:i]
	}
	return words
}
