// Package cmdline says what is missing from a command line, or too much in it, in the same words for every command of the
// programs: by what a command's Use line names, and with its first example.
package cmdline

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// Explain lets root and all below it refuse a wrong number of arguments in our words. It is called when the tree is whole.
func Explain(root *cobra.Command) {
	if check := root.Args; check != nil {
		root.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			if err == nil || !counted.MatchString(err.Error()) {
				return err
			}
			return wrongCount(cmd, args)
		}
	}
	for _, c := range root.Commands() {
		Explain(c)
	}
}

// counted are the words in which cobra's own checks refuse a number of arguments (its args.go).
var counted = regexp.MustCompile(`^(accepts|requires at least) .*arg\(s\)|^unknown command ".*" for "`)

func wrongCount(cmd *cobra.Command, args []string) error {
	slots := slotsOf(cmd.Use)
	needed := 0
	for _, s := range slots {
		if !s.optional {
			needed++
		}
	}
	path := cmd.CommandPath()
	var text string
	switch {
	case len(args) < needed:
		var missing []string
		for _, s := range slots[len(args):] {
			if !s.optional {
				missing = append(missing, s.name)
			}
		}
		text = fmt.Sprintf("`%s` needs %s.", path, joined(missing))
	case len(slots) == 0:
		text = fmt.Sprintf("`%s` takes no arguments, and %q is one.", path, args[0])
	default:
		text = fmt.Sprintf("`%s` takes no more than %s; %q is too much.", path, joined(names(slots)), args[min(len(slots), len(args)-1)])
	}
	if e := Example(cmd); e != "" && len(slots) > 0 {
		text += "\nFor example: " + e
	}
	return errors.New(text)
}

// Example is the first example of a command; empty where it has none.
func Example(cmd *cobra.Command) string {
	line, _, _ := strings.Cut(strings.TrimSpace(cmd.Example), "\n")
	line, _, _ = strings.Cut(line, "   #") // what an example is for
	return strings.TrimSpace(line)
}

// slot is one argument of a Use line.
type slot struct {
	name     string // "CONTEXT-URL or WORKSPACE"
	optional bool
}

// slotsOf reads the arguments of a Use line: words in capitals. What is in brackets can be left out, a flag's value is
// the flag's, and a bar stands between what one argument may be.
func slotsOf(use string) []slot {
	var slots []slot
	words := strings.Fields(use)
	depth, or, value := 0, false, false // value: the word is a flag's
	for _, w := range words[min(1, len(words)):] {
		optional := depth > 0 || strings.HasPrefix(w, "[")
		depth += strings.Count(w, "[") + strings.Count(w, "(") - strings.Count(w, "]") - strings.Count(w, ")")
		name := strings.Trim(w, "[]()…")
		switch {
		case name == "|":
			or = true
			continue
		case name == "", name == "--", value:
			or, value = false, false
			continue
		case strings.HasPrefix(name, "-"):
			or, value = false, !strings.HasSuffix(w, "]") && !strings.HasSuffix(w, ")")
			continue
		}
		name = strings.ReplaceAll(name, "|", " or ")
		switch last := len(slots) - 1; {
		case !or || last < 0:
			slots = append(slots, slot{name, optional})
		case !strings.HasPrefix(slots[last].name, name+"="): // NAME=VALUE… | NAME
			slots[last].name += " or " + name
		}
		or = false
	}
	return slots
}

func names(slots []slot) []string {
	var all []string
	for _, s := range slots {
		all = append(all, s.name)
	}
	return all
}

// joined is a list in words.
func joined(list []string) string {
	if n := len(list); n > 1 {
		return strings.Join(list[:n-1], ", ") + " and " + list[n-1]
	}
	return strings.Join(list, "")
}
