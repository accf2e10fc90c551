package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/lanyardhq/lanyard/internal/source"
)

// maxNesting bounds brackets in a file: the parser below descends once for each.
const maxNesting = 1000

// token is a word, sign or string of a policy file. Cedar's parser tells places only roughly; tokens serve to find
// the exact one.
type token struct {
	text   string
	offset int // bytes
}

var lexeme = regexp.MustCompile(`(?s)//[^\n]*|"(?:\\.|[^"\\])*"|[\pL_][\pL\pN_]*|[0-9]+|::|==|!=|<=|>=|&&|\|\||[^\s]`)

// tokens splits a text; comments are left out.
func tokens(text string) []token {
	var out []token
	for _, m := range lexeme.FindAllStringIndex(text, -1) {
		if word := text[m[0]:m[1]]; !strings.HasPrefix(word, "//") {
			out = append(out, token{word, m[0]})
		}
	}
	return out
}

func within(words []token, start, end int) []token {
	first := 0
	for first < len(words) && words[first].offset < start {
		first++
	}
	last := first
	for last < len(words) && words[last].offset < end {
		last++
	}
	return words[first:last]
}

func deepest(words []token) int {
	depth, most := 0, 0
	for _, w := range words {
		switch w.text {
		case "(", "[", "{", "!", "-":
			depth++
			most = max(most, depth)
		case ")", "]", "}":
			depth--
		case ";":
			depth = 0
		}
	}
	return most
}

// locate finds the place where the parts follow each other; without them, where the words begin.
func locate(words []token, parts ...string) int {
	if i := find(words, parts...); i >= 0 {
		return words[i].offset
	}
	return words[0].offset
}

// find is the index of the first word from which the parts follow each other, or -1. A part matches a word, or
// what a string says.
func find(words []token, parts ...string) int {
	for i := range words {
		if i+len(parts) > len(words) {
			break
		}
		ok := true
		for j, part := range parts {
			word := words[i+j].text
			if said, err := strconv.Unquote(word); strings.HasPrefix(word, `"`) && err == nil {
				word = said
			}
			if word != part {
				ok = false
				break
			}
		}
		if ok {
			return i
		}
	}
	return -1
}

var (
	parserPlace = regexp.MustCompile(`<input>:(\d+):(\d+)( "(?:\\.|[^"\\])*")?: (?s)(.*)$`)
	wanted      = regexp.MustCompile(`^exact got (.*) want (.*)$`)
	wantedComma = regexp.MustCompile(`^got .* want ,$`)
	misused     = regexp.MustCompile("^`([^`]*)` is ")
)

// syntaxFinding says where a file stops being Cedar.
func syntaxFinding(f File, words []token, err error) source.Finding {
	m := parserPlace.FindStringSubmatch(err.Error())
	if m == nil {
		for e := err; e != nil; e = errors.Unwrap(e) {
			err = e
		}
		return source.Finding{File: f.Name, Message: "not valid Cedar: " + err.Error()}
	}
	line, _ := strconv.Atoi(m[1])
	column, _ := strconv.Atoi(m[2])
	found := source.Finding{File: f.Name, Line: line, Column: column, Message: "not valid Cedar: " + m[4]}
	if m[3] == "" {
		return found // from the scanner, whose places are exact
	}
	at := len(words) // the end of the file
	for i, w := range words {
		if l, c := source.Position(f.Text, w.offset); l == line && c >= column || l > line {
			at = i
			break
		}
	}
	at, message := stumble(words, at, m[4])
	if at < len(words) {
		found.Line, found.Column = source.Position(f.Text, words[at].offset)
		message += fmt.Sprintf(", and `%s` stands there", words[at].text)
	} else {
		message += ", and the file ends there"
	}
	found.Message = "not valid Cedar: " + message
	return found
}

// stumble finds the word that the parser could not take, and says what it wanted. The parser names the word after
// the one it stumbled over whenever it had taken that one already.
func stumble(words []token, at int, message string) (int, string) {
	before := max(at-1, 0)
	if got := wanted.FindStringSubmatch(message); got != nil {
		if got[1] != "" && words[before].text == got[1] {
			at = before
		}
		return at, fmt.Sprintf("`%s` is wanted here", got[2])
	}
	if name := misused.FindStringSubmatch(message); name != nil {
		for i := before; i >= 0; i-- {
			if words[i].text == name[1] {
				return i, message
			}
		}
	}
	switch {
	case wantedComma.MatchString(message):
		return at, "`,` is wanted here"
	case strings.HasPrefix(message, "unexpected effect"):
		return before, "a policy begins with `permit` or `forbid`"
	case message == "invalid primary":
		return before, "a value is wanted here"
	case message == "unexpected token":
		return before, "this does not go on so"
	}
	return before, message
}
