package gitproxy

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// update is one command of a push: a ref that is to move from an old object to a new one; all zeros stand for none.
type update struct {
	Old  string `json:"old"`
	New  string `json:"new"`
	Name string `json:"name"`
}

// commands is the list with which a push begins (gitprotocol-pack, "Reference Update Request").
type commands struct {
	updates []update
	raw     []byte // the bytes as they came, to be forwarded
	band    bool   // the client takes the answer on a side band
	report  bool   // the client takes a report of each ref
	atomic  bool   // all refs or none
	options bool   // a list of options for the server follows
}

const (
	maxCommands = 4 << 20 // bytes of the list
	maxShown    = 100     // refs that the audit log names; all are counted
)

// readOptions reads the list of options (gitprotocol-pack, "push-options"), where there is one, so that the pack is next.
// They are for the server to understand, and may hold secrets: they are forwarded and nothing else.
func (c *commands) readOptions(p *packets) error {
	for c.options {
		packet, err := p.next()
		if err != nil || len(c.raw)+len(packet) > maxCommands {
			return problem.Wrap(err, problem.Invalid, "The push's options are not such that Lanyard understands.")
		}
		c.raw = append(c.raw, packet...)
		if string(packet) == flushPacket {
			return nil
		}
	}
	return nil
}

// readCommands reads the list up to its flush packet and nothing beyond it that r's bufio did not buffer. What it
// does not understand it refuses: what was judged is what is forwarded.
func readCommands(p *packets) (commands, error) {
	var c commands
	for {
		packet, err := p.next()
		if err != nil {
			if errors.Is(err, errPack) || errors.Is(err, errPacket) {
				return c, problem.Wrap(err, problem.Invalid, "This is not a push that Lanyard understands.")
			}
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return c, problem.Wrap(err, problem.Invalid, "The push broke off before it said what it wants.")
		}
		if len(c.raw)+len(packet) > maxCommands {
			return c, problem.New(problem.TooLarge, "This push names too many refs at once; push them in several parts.")
		}
		c.raw = append(c.raw, packet...)
		if string(packet) == flushPacket {
			return c, nil
		}
		if err := c.line(packet[packetHead:]); err != nil {
			return c, err
		}
	}
}

func (c *commands) line(content []byte) error {
	text, capabilities, first := bytes.Cut(content, []byte{0})
	if first {
		for word := range strings.FieldsSeq(string(capabilities)) {
			switch word {
			case "side-band-64k":
				c.band = true
			case "report-status", "report-status-v2":
				c.report = true
			case "atomic":
				c.atomic = true
			case "push-options":
				c.options = true
			}
		}
	}
	line := strings.TrimSuffix(string(text), "\n")
	if id, ok := strings.CutPrefix(line, "shallow "); ok && isObjectID(id) {
		return nil
	}
	if strings.HasPrefix(line, "push-cert") {
		return problem.New(problem.Denied, "Lanyard does not pass on signed pushes; push without --signed.")
	}
	old, rest, _ := strings.Cut(line, " ")
	fresh, name, _ := strings.Cut(rest, " ")
	if !isObjectID(old) || !isObjectID(fresh) || len(old) != len(fresh) || !isRefName(name) {
		return problem.New(problem.Invalid, "The push has a command that Lanyard does not understand.")
	}
	c.updates = append(c.updates, update{old, fresh, name})
	return nil
}

// shown is what the audit log keeps of the list.
func (c *commands) shown() map[string]any {
	shown := map[string]any{"git": "push", "refs": c.updates[:min(len(c.updates), maxShown)], "ref_count": len(c.updates)}
	if c.atomic {
		shown["atomic"] = true
	}
	return shown
}

// isObjectID: 40 digits for SHA-1, 64 for SHA-256.
func isObjectID(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// isRefName refuses what git-check-ref-format refuses and what could be mistaken for something else in a log. The
// upstream's Git has the last word.
func isRefName(s string) bool {
	if len(s) > 4096 || !strings.HasPrefix(s, "refs/") { // HEAD would be another name for a branch that rules know
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || strings.IndexByte(`~^:?*[\`, c) >= 0 {
			return false
		}
	}
	return !strings.Contains(s, "..") && !strings.Contains(s, "//") && !strings.Contains(s, "@{") && !strings.HasSuffix(s, "/") &&
		!strings.HasSuffix(s, ".lock")
}
