package apiserver

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	strict "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// maxBody bounds what a request may carry, in bytes.
const maxBody = 64 << 10

// read decodes the body into v. Names are case-sensitive; an unknown or repeated name, invalid UTF-8 and anything
// after the value are errors, so that what was judged is all there is.
func read(r *http.Request, v any) error { return readUpTo(r, v, maxBody) }

// readUpTo is read with another bound.
func readUpTo(r *http.Request, v any, most int64) error {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return problem.New(problem.Invalid, "The body must be JSON: send it as Content-Type application/json.")
	}
	err := strict.UnmarshalRead(http.MaxBytesReader(nil, r.Body, most), v, strict.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problem.New(problem.TooLarge, "The body is larger than %d bytes.", most)
	}
	return problem.Wrap(err, problem.Invalid, "The body is not the JSON expected here: %s.", wrong(err))
}

// wrong says what is wrong with a body in the words of JSON, since who sent it knows nothing of our types.
func wrong(err error) string {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return fmt.Sprintf("%s stands in it twice", at(syntax.JSONPointer))
		}
		return fmt.Sprintf("it is broken near byte %d", syntax.ByteOffset)
	}
	meaning, ok := errors.AsType[*strict.SemanticError](err)
	switch {
	case !ok:
		return "it ends too early"
	case errors.Is(err, strict.ErrUnknownName):
		return fmt.Sprintf("%s is not known here", at(meaning.JSONPointer))
	case meaning.JSONKind != 0:
		return fmt.Sprintf("%s is %s, which does not fit there", at(meaning.JSONPointer), meaning.JSONKind)
	default:
		return fmt.Sprintf("%s does not fit there", at(meaning.JSONPointer))
	}
}

func at(p jsontext.Pointer) string {
	if p == "" {
		return "the whole"
	}
	return strings.ReplaceAll(strings.TrimPrefix(string(p), "/"), "/", ".")
}

// answer writes v as JSON in which no character can move a terminal's cursor or turn the direction of text.
func answer(w http.ResponseWriter, status int, v any) error {
	b, err := problem.JSON(v)
	if err != nil {
		return fmt.Errorf("encode an answer: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, err = w.Write(append(b, '\n'))
	return err
}
