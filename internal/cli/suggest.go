package cli

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// closest are the names that somebody who typed a word may have meant: those that begin with it, or are two slips away.
func closest(typed string, names []string) []string {
	typed = strings.ToLower(typed)
	most := 2
	if len(typed) < 4 {
		most = 1
	}
	var found []string
	for _, name := range names {
		if len(typed) > 1 && strings.HasPrefix(name, typed) || slips(typed, name) <= most {
			found = append(found, name)
		}
	}
	slices.SortStableFunc(found, func(a, b string) int { return slips(typed, a) - slips(typed, b) })
	return found[:min(len(found), 3)]
}

// slips is the edit distance of two words, in which two letters that changed places count once.
func slips(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, now := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		now[0] = i
		for j := 1; j <= len(y); j++ {
			wrong := 1
			if x[i-1] == y[j-1] {
				wrong = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+wrong)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(y)]
}

// didYouMean is the end of a message about a word that is not known; empty where nothing is close.
func didYouMean(typed string, names []string) string {
	near := closest(typed, names)
	if len(near) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(near, " or ") + "?"
}

// names are the commands below one, as they are typed.
func namesBelow(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(append(names, c.Name()), c.Aliases...)
		}
	}
	return names
}

// noSuchCommand refuses a command that does not exist, for cobra.Command's Args.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	near := didYouMean(args[0], namesBelow(cmd))
	if deeper := namedBelow(cmd, args[0]); near == "" && len(deeper) > 0 {
		near = "; did you mean `" + strings.Join(deeper, "` or `") + "`?"
	}
	return usage("unknown command %q%s", args[0], near)
}

// namedBelow are the commands of that name further down, as they are typed: `lanyard entra doctor` for doctor.
func namedBelow(cmd *cobra.Command, name string) []string {
	var found []string
	for _, c := range cmd.Commands() {
		if !c.IsAvailableCommand() {
			continue
		}
		for _, below := range c.Commands() {
			if below.IsAvailableCommand() && below.Name() == name {
				found = append(found, below.CommandPath())
			}
		}
	}
	return found
}

var unknownFlag = regexp.MustCompile(`^unknown flag: --(\S+)$`)

// noSuchFlag says which flag may have been meant, for cobra.Command's SetFlagErrorFunc.
func noSuchFlag(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	m := unknownFlag.FindStringSubmatch(err.Error())
	if m == nil {
		return usageError{err}
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	for i := range names {
		names[i] = "--" + names[i]
	}
	return usage("unknown flag: --%s%s", m[1], didYouMean("--"+m[1], names))
}
