package scim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Bounds of what is read. A group with 100,000 members has some 5 MB.
const (
	maxBody   = 16 << 20 // bytes
	maxDepth  = 16
	maxString = 64 << 10 // bytes of one string: a certificate, a picture as data
	maxValues = 1000     // of a multi-valued attribute other than members
	maxOps    = 10_000   // of one PATCH
)

// object is a JSON object in the order in which it was written, with names as they were.
type object []field

type field struct {
	name  string
	value any // object, []any, string, bool, json.Number or nil
}

func (o object) get(name string) (value any, there bool) {
	for _, f := range o {
		if strings.EqualFold(f.name, name) {
			return f.value, true
		}
	}
	return nil, false
}

// parseObject reads a body that is one JSON object. It refuses what could be read in two ways: a name twice in an object
// (also in other capitals), bytes that are not UTF-8, and text after the object.
func parseObject(body []byte) (object, error) {
	if len(body) > maxBody {
		return nil, tooLarge("The body has %d bytes; at most %d are taken.", len(body), maxBody)
	}
	if !utf8.Valid(body) {
		return nil, bad(InvalidSyntax, "The body is not UTF-8.")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	v, err := parseValue(d, 0)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the object")
		}
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return nil, e
	}
	if err != nil {
		return nil, bad(InvalidSyntax, "The body is not JSON as it is expected here: %v.", err)
	}
	o, ok := v.(object)
	if !ok {
		return nil, bad(InvalidSyntax, "The body is not a JSON object.")
	}
	return o, nil
}

func parseValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if errors.Is(err, io.EOF) {
		return nil, io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("it is nested deeper than %d", maxDepth)
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return parseFields(d, depth)
		}
		list := []any{}
		for d.More() {
			v, err := parseValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	case string:
		return t, checkString(t)
	}
	return t, nil
}

func parseFields(d *json.Decoder, depth int) (any, error) {
	o := make(object, 0, 2)
	var seen map[string]bool // of a large object; in a small one looking is faster
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string)
		if err := checkString(name); err != nil {
			return nil, err
		}
		twice := false
		if len(o) < 16 {
			_, twice = o.get(name)
		} else {
			if seen == nil {
				seen = make(map[string]bool, 64)
				for _, f := range o {
					seen[Fold(f.name)] = true
				}
			}
			key := Fold(name)
			twice = seen[key]
			seen[key] = true
		}
		if twice {
			return nil, bad(InvalidSyntax, "The name %q stands twice in one object.", short(name))
		}
		v, err := parseValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		o = append(o, field{name, v})
	}
	_, err := d.Token()
	return o, err
}

// checkString refuses what no database's text holds, and what is too long for any attribute.
func checkString(s string) error {
	if len(s) > maxString {
		return bad(InvalidValue, "A string has %d bytes; at most %d are taken.", len(s), maxString)
	}
	if strings.IndexByte(s, 0) >= 0 {
		return bad(InvalidValue, "A string contains the character U+0000.")
	}
	return nil
}

// short is the beginning of something a client sent, for a message.
func short(s string) string {
	if len(s) <= 80 {
		return s
	}
	cut := 80
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
