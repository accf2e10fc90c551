// Package aadsts says in plain words what the numbers mean that Entra puts into its refusals (AADSTS…): what happened,
// who can mend it, and where. Programs go by the error strings of OAuth; a number may change, and chooses words alone.
//
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
package aadsts

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Meaning is what a number means.
type Meaning struct {
	What string // what happened, as a clause: "the account is disabled"
	Who  Who    // can mend it
	Do   string // what they do, and where: sentences
}

// Who can mend something.
type Who string

// Those who can. The administrators' roles have Entra's own names.
const (
	You         Who = "you"
	Operator    Who = "whoever runs Lanyard"
	Users       Who = "a User Administrator of your organisation"
	Apps        Who = "an Application Administrator of your organisation"
	Conditional Who = "a Conditional Access Administrator of your organisation"
	Devices     Who = "whoever looks after your organisation's devices"
)

// Of finds what a number means.
func Of(number int) (Meaning, bool) {
	m, ok := meanings[number]
	return m, ok
}

// Sentence is What with a capital and a full stop.
func (m Meaning) Sentence() string {
	if m.What == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(m.What)
	return string(unicode.ToUpper(first)) + m.What[size:] + "."
}

// Told is what a refusal says beside its words; nothing of it is secret, and all of it is of a shape that may be shown.
type Told struct {
	Number      int    // 0 when there is none
	Correlation string // the ID by which the tenant's administrators find it in their sign-in logs
	Trace       string // the ID of the one request, for Microsoft's support
	Time        string // as the tenant wrote it
}

// Code is the number as Entra writes it; empty when there is none.
func (t Told) Code() string {
	if t.Number == 0 {
		return ""
	}
	return "AADSTS" + strconv.Itoa(t.Number)
}

// readAtMost bounds what is looked at of a text, in bytes.
const readAtMost = 16 << 10

const guid = `([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})\b`

var (
	numbered   = regexp.MustCompile(`AADSTS([0-9]{4,9})\b`)
	bare       = regexp.MustCompile(`^\s*(?:error\s*)?([0-9]{4,9})\s*$`)
	correlated = regexp.MustCompile(`(?i)correlation[ _]?id:?\s*` + guid)
	traced     = regexp.MustCompile(`(?i)(?:trace|request)[ _]?id:?\s*` + guid)
	timed      = regexp.MustCompile(`(?i)timestamp:?\s*([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{5,16}Z?)`)
)

// Read finds in a text what a refusal tells: in an error_description, or in what a person copied from Entra's page. A
// number alone is read, too.
func Read(text string) Told {
	text = text[:min(len(text), readAtMost)]
	told := Told{Correlation: strings.ToLower(first(correlated, text)), Trace: strings.ToLower(first(traced, text)), Time: first(timed, text)}
	number := first(numbered, text)
	if number == "" {
		number = first(bare, text)
	}
	told.Number, _ = strconv.Atoi(number) // at most nine digits
	return told
}

func first(pattern *regexp.Regexp, text string) string {
	if m := pattern.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}
