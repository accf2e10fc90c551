package audit

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Personal data: a person's object ID and name, and the address they came from. A leaf holds a commitment to each,
// SHA-256 over a salt of its own and the value; value and salt stand beside the leaf and can be erased. Without the
// salt a commitment says nothing, not even whether a guess is right.

const (
	saltSize     = 16
	commitPrefix = "sha256:"
)

// personal are the fields, in the order in which they stand in an event.
var personal = [...]string{"object", "name", "ip"}

// personalOf points at an event's personal values, in the same order. Fields of an absent person are nil.
func personalOf(e *Event) (values [len(personal)]*string) {
	if e.User != nil {
		values[0], values[1] = &e.User.Object, &e.User.Name
	}
	values[2] = &e.IP
	return values
}

// commit makes the commitment to a value.
func commit(field string, salt []byte, value string) string {
	b := make([]byte, 0, 128)
	b = append(append(b, "lanyard/audit "...), field...)
	b = append(append(append(b, '\n'), salt...), value...)
	sum := sha256.Sum256(b)
	out := make([]byte, 0, len(commitPrefix)+43)
	return string(base64.RawURLEncoding.AppendEncode(append(out, commitPrefix...), sum[:]))
}

// committed reports whether a value is a commitment.
func committed(value string) bool {
	rest, ok := strings.CutPrefix(value, commitPrefix)
	return ok && len(rest) == 43
}

// seal puts commitments in place of an event's personal values, and returns the values with their salts as JSON:
// {"name":["salt","value"],…}; nil where there are none.
func seal(e Event) (Event, []byte, error) {
	if e.User != nil {
		user := *e.User
		e.User = &user
	}
	var salts [len(personal) * saltSize]byte
	var clear []byte
	for i, value := range personalOf(&e) {
		if value == nil || *value == "" {
			continue
		}
		if clear == nil {
			rand.Read(salts[:]) // never fails
			clear = append(make([]byte, 0, 256), '{')
		} else {
			clear = append(clear, ',')
		}
		salt := salts[i*saltSize : (i+1)*saltSize]
		*value = strings.ToValidUTF8(*value, "\uFFFD")
		clear = append(append(append(clear, '"'), personal[i]...), `":["`...)
		clear = append(base64.RawURLEncoding.AppendEncode(clear, salt), `",`...)
		var err error
		if clear, err = jsontext.AppendQuote(clear, *value); err != nil {
			return Event{}, nil, err
		}
		clear = append(clear, ']')
		*value = commit(personal[i], salt, *value)
	}
	if clear != nil {
		clear = append(clear, '}')
	}
	return e, clear, nil
}

// openings are personal values with their salts by field, as they are stored.
type openings map[string][2]string

func readOpenings(clear []byte) (o openings, err error) {
	if len(clear) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(clear, &o); err != nil {
		return nil, fmt.Errorf("the values beside an event are not JSON: %w", err)
	}
	return o, nil
}

// fits reports whether a field's opening opens a commitment.
func (o openings) fits(field, commitment string) bool {
	opening, ok := o[field]
	if !ok {
		return false
	}
	salt, err := base64.RawURLEncoding.Strict().DecodeString(opening[0])
	return err == nil && len(salt) == saltSize && commit(field, salt, opening[1]) == commitment
}

// openEvent puts the values back that open an event's commitments. Erased ones stay commitments. wrong says that
// something beside the event does not open what the event holds.
func openEvent(e *Event, clear []byte) (erased, wrong bool) {
	o, err := readOpenings(clear)
	if err != nil {
		wrong = true
	}
	opened := 0
	for i, value := range personalOf(e) {
		switch {
		case value == nil || !committed(*value):
		case o.fits(personal[i], *value):
			*value = o[personal[i]][1]
			opened++
		default:
			erased = true
		}
	}
	return erased, wrong || opened != len(o)
}

// ErasedText stands for a personal value that was erased.
const ErasedText = "(erased)"

// Shown is the event for people: commitments whose values were erased are said to be erased.
func (e Event) Shown() Event {
	if e.User != nil {
		user := *e.User
		e.User = &user
	}
	for _, value := range personalOf(&e) {
		if value != nil && committed(*value) {
			*value = ErasedText
		}
	}
	return e
}

// exportLine is a leaf with its values in place of their commitments and the salts at its end, so that it reads as the
// event and yet gives back the exact leaf.
func exportLine(l Leaf) ([]byte, error) {
	o, err := readOpenings(l.Clear)
	if err != nil || len(o) == 0 {
		return l.Body, nil
	}
	places, end, err := personalPlaces(l.Body)
	if err != nil {
		return nil, fmt.Errorf("event %d: %w", l.Seq, err)
	}
	line, from := make([]byte, 0, len(l.Body)+len(l.Clear)), 0
	salts := []byte(`,"salts":{`)
	for i, p := range places {
		opening, ok := o[personal[i]]
		if !ok || p.end == 0 {
			continue
		}
		line = append(line, l.Body[from:p.start]...)
		if line, err = jsontext.AppendQuote(line, opening[1]); err != nil {
			return nil, err
		}
		from = p.end
		salts = fmt.Appendf(salts, "%q:%q,", personal[i], opening[0])
	}
	line = append(line, l.Body[from:end]...)
	return append(append(line, bytes.TrimSuffix(salts, []byte(","))...), "}}"...), nil
}

// leafOfLine is the inverse of exportLine. What the salts and values of a line say is only believed as far as the
// leaf's hash confirms it.
func leafOfLine(line []byte) (body []byte, err error) {
	var with struct {
		Salts map[string]string `json:"salts"`
	}
	places, end, err := personalPlaces(line)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(line, &with); err != nil {
		return nil, err
	}
	from := 0
	for i, p := range places {
		text, ok := with.Salts[personal[i]]
		if !ok {
			continue
		}
		salt, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if err != nil || len(salt) != saltSize || p.end == 0 {
			return nil, fmt.Errorf("the salt of %q is not one", personal[i])
		}
		value, err := jsontext.AppendUnquote(nil, line[p.start:p.end])
		if err != nil {
			return nil, err
		}
		body = append(body, line[from:p.start]...)
		body = fmt.Appendf(body, "%q", commit(personal[i], salt, string(value)))
		from = p.end
	}
	return append(append(body, line[from:end]...), '}'), nil
}

type place struct{ start, end int }

// personalPlaces finds where an event's personal values stand, and where its members end: before the closing brace,
// or before the salts of an export.
func personalPlaces(text []byte) (places [len(personal)]place, end int, err error) {
	d := jsontext.NewDecoder(bytes.NewReader(text))
	mark := func(i int) error {
		if d.PeekKind() != '"' {
			return d.SkipValue()
		}
		v, err := d.ReadValue()
		places[i] = place{int(d.InputOffset()) - len(v), int(d.InputOffset())}
		return err
	}
	members := func(each func(name string) error) error {
		if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
			return fmt.Errorf("not a JSON object (%w)", err)
		}
		for d.PeekKind() != '}' {
			before := int(d.InputOffset())
			t, err := d.ReadToken()
			if err != nil {
				return err
			}
			name := t.String()
			if name == "salts" && d.StackDepth() == 1 {
				end = before
			}
			if err := each(name); err != nil {
				return err
			}
		}
		if d.StackDepth() == 1 && end == 0 {
			end = int(d.InputOffset())
		}
		_, err := d.ReadToken()
		return err
	}
	err = members(func(name string) error {
		switch {
		case name == "ip":
			return mark(2)
		case name == "user" && d.PeekKind() == '{':
			return members(func(name string) error {
				switch name {
				case "object":
					return mark(0)
				case "name":
					return mark(1)
				}
				return d.SkipValue()
			})
		}
		return d.SkipValue()
	})
	if err != nil {
		return places, 0, err
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return places, 0, fmt.Errorf("something follows the event")
	}
	return places, end, nil
}
