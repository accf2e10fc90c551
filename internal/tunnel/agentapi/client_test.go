package agentapi

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// hostile answers in an agent's place, as any process of a workspace may.
type hostile func(*http.Request, io.Writer)

func (h hostile) RoundTrip(r *http.Request) (*http.Response, error) {
	read, write := io.Pipe()
	go func() {
		h(r, write)
		write.Close()
	}()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: read, Request: r}, nil
}

// What a workspace says of itself is kept by the server, for five hundred lines of each: it is taken in small parts.
func TestHostileAgentIsCutShort(t *testing.T) {
	long := strings.Repeat("é", 200_000)
	c := New(hostile(func(_ *http.Request, w io.Writer) {
		e := json.NewEncoder(w)
		_ = e.Encode(Progress{Phase: long, Text: long})
		_ = e.Encode(Progress{Error: long})
	}))
	told := 0
	err := c.Setup(t.Context(), Setup{}, func(p Progress) {
		told++
		if len(p.Text) > maxText+len("…") || len(p.Phase) > maxText+len("…") || !utf8.ValidString(p.Text) || !strings.HasSuffix(p.Text, "é…") {
			t.Errorf("%d bytes of text, %d of phase", len(p.Text), len(p.Phase))
		}
	})
	if told != 1 || problem.KindOf(err) != problem.BadUpstream || len(problem.Message(err)) > maxError+len("…") {
		t.Errorf("told %d times; %d bytes of error", told, len(problem.Message(err)))
	}
	endless := New(hostile(func(_ *http.Request, w io.Writer) {
		_, err := io.WriteString(w, `{"name":"`)
		for part := strings.Repeat("x", 32<<10); err == nil; {
			_, err = io.WriteString(w, part)
		}
	}))
	if _, err := endless.Status(t.Context()); err == nil {
		t.Error("a status without an end was taken")
	}
	if err := endless.Setup(t.Context(), Setup{}, nil); err == nil {
		t.Error("a line without an end was taken")
	}
}
