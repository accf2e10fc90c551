package grant

import (
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// How long things may last.
const (
	DefaultFor    = time.Hour      // asked for, where nothing is said
	MaxApproval   = 24 * time.Hour // an approved access, and a delegation
	MaxBreakGlass = time.Hour
	PendingFor    = 24 * time.Hour // what nobody has decided by then is over
	minFor        = time.Second
)

const (
	maxText    = 500 // characters of a reason
	maxPending = 20  // requests of one person that nobody has decided
	maxDaily   = 100 // requests of one person within a day
	maxLines   = 50  // of a delegation
)

// words makes what somebody wrote fit to be shown to others: one line, no character that moves a cursor, turns the
// direction of text or shows nothing, at most maxText characters. It is for show and decides nothing.
func words(text, what string) (string, error) {
	if !utf8.ValidString(text) {
		return "", problem.New(problem.Invalid, "%s is not UTF-8.", what)
	}
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) }), " ")
	if n := utf8.RuneCountInString(text); n > maxText {
		return "", problem.New(problem.Invalid, "%s has %d characters and may have %d.", what, n, maxText)
	}
	return text, nil
}

// reason is words that must be given.
func reason(text string) (string, error) {
	text, err := words(text, "The reason")
	if err == nil && strings.TrimSpace(text) == "" {
		return "", problem.New(problem.Invalid, "Say why: others decide by it, and it stands in the audit log.")
	}
	return text, err
}

// span checks how long something is to last.
func span(d, most time.Duration) (time.Duration, error) {
	if d < minFor || d > most {
		return 0, problem.New(problem.Invalid, "It can be given for between %s and %s, not for %s.", problem.Length(minFor), problem.Length(most), problem.Length(d))
	}
	return d.Truncate(time.Second), nil
}

var agentName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,40}$`)

// ValidAgent reports whether s can name an AI agent.
func ValidAgent(s string) bool { return agentName.MatchString(s) }

// Reason makes what somebody gave as a reason fit to be shown to who decides; an empty one is refused.
func Reason(text string) (string, error) { return reason(text) }
