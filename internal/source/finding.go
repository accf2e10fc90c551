// Package source reads files that people write, and says what is wrong with them: which file, line and column, and
// what to do about it. It does no I/O; texts come in, values and findings go out.
package source

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Finding is one thing that is wrong, and where.
type Finding struct {
	File    string
	Line    int // from 1; 0 when the file as a whole is meant
	Column  int // from 1, in characters; 0 when the line as a whole is meant
	Message string
}

// String prints the finding the way compilers do, so that editors can jump to it.
func (f Finding) String() string {
	switch {
	case f.Line == 0:
		return f.File + ": " + f.Message
	case f.Column == 0:
		return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Message)
	default:
		return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
	}
}

// Findings is an error that lists everything found, one a line.
type Findings []Finding

func (f Findings) Error() string {
	lines := make([]string, len(f))
	for i, one := range f {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// Err is f as an error, or nil when nothing was found.
func (f Findings) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// Sort orders findings by place.
func (f Findings) Sort() {
	slices.SortStableFunc(f, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// Position is the line and column of a byte offset in text, both from 1; the column counts characters.
func Position(text string, offset int) (line, column int) {
	offset = min(max(offset, 0), len(text))
	before := text[:offset]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, len([]rune(before[start:])) + 1
}

// Nearest is the candidate that a misspelt word most likely meant, or "" when none is close.
func Nearest(word string, candidates []string) string {
	best, bestDistance := "", len(word)/3+2
	for _, c := range candidates {
		if d := distance(word, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the number of single-character edits between a and b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j+1]+1, row[j]+1, cost)
		}
	}
	return row[len(b)]
}

// Located is a text that a person wrote, with its place.
type Located struct {
	Text         string
	File         string
	Line, Column int
}

// Finding makes a finding about l.
func (l Located) Finding(format string, args ...any) Finding {
	return Finding{File: l.File, Line: l.Line, Column: l.Column, Message: fmt.Sprintf(format, args...)}
}
