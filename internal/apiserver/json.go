package apiserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"unicode/utf8"

	strict "github.com/go-json-experiment/json"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// maxBody bounds what a request may carry, in bytes.
const maxBody = 64 << 10

// read decodes the body into v. Names are case-sensitive; an unknown or repeated name, invalid UTF-8 and anything
// after the value are errors, so that what was judged is all there is.
func read(r *http.Request, v any) error {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return problem.New(problem.Invalid, "The body must be JSON: send it as Content-Type application/json.")
	}
	err := strict.UnmarshalRead(http.MaxBytesReader(nil, r.Body, maxBody), v, strict.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problem.New(problem.TooLarge, "The body is larger than %d bytes.", maxBody)
	}
	return problem.Wrap(err, problem.Invalid, "The body is not the JSON expected here: %s.", err)
}

// answer writes v as JSON in which no character can move a terminal's cursor or turn the direction of text.
func answer(w http.ResponseWriter, status int, v any) error {
	b, err := encode(v)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, err = w.Write(append(b, '\n'))
	return err
}

// encode makes JSON whose controls and direction marks are all escaped: encoding/json leaves DEL, C1 and the marks
// as they are. Outside strings JSON has none of them, so the value stays the same.
func encode(v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode an answer: %w", err)
	}
	if bytes.IndexFunc(plain, invisible) < 0 {
		return plain, nil
	}
	escaped := make([]byte, 0, len(plain)+64)
	for len(plain) > 0 {
		c, size := utf8.DecodeRune(plain)
		if invisible(c) {
			escaped = fmt.Appendf(escaped, `\u%04x`, c)
		} else {
			escaped = append(escaped, plain[:size]...)
		}
		plain = plain[size:]
	}
	return escaped, nil
}

func invisible(c rune) bool {
	switch {
	case c < 0x20, c >= 0x7f && c <= 0x9f: // C0, DEL, C1
	case c >= 0x200b && c <= 0x200f, c >= 0x2028 && c <= 0x202e, c >= 0x2060 && c <= 0x2069, c == 0xfeff:
	default:
		return false
	}
	return true
}
