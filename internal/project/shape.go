package project

import (
	"regexp"
	"sync"
)

// shape is a regular expression that is compiled when a text is first held against it: the command line starts often, and reads
// projects' files seldom.
func shape(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
