package agentapi

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// agent answers every request alike.
type agent []byte

func (a agent) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body.Close()
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(a)), Request: r, Header: http.Header{}}, nil
}

// Any process of a workspace may speak in its agent's place.
func FuzzAgent(f *testing.F) {
	f.Add([]byte(`{"phase":"git","text":"x"}` + "\n" + `{"done":true}` + "\n"))
	f.Add([]byte(`{"error":"` + "\xff\x1b" + `"}` + "\n"))
	f.Add([]byte(`{"build":"x","ready":true}`))
	f.Add([]byte("{}\n{}\n{"))
	f.Add([]byte(`{"commit":"0123456789012345678901234567890123456789","format":"sha1"}` + "\nPACK"))
	f.Add([]byte(`{"stat":"x","diff":"` + "\x1b]0;x" + `"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := New(agent(b))
		err := c.Setup(context.Background(), Setup{Name: "api"}, func(p Progress) {
			if len(p.Text) > maxText+len("…") || len(p.Phase) > maxText+len("…") {
				t.Fatalf("%d bytes of progress", len(p.Text))
			}
		})
		if err != nil && len(err.Error()) > maxError+maxFrame {
			t.Fatalf("an error of %d bytes", len(err.Error()))
		}
		_, _ = c.Status(context.Background()) // nothing but a panic would be wrong
		if p, pack, err := c.Pack(context.Background(), PackOrder{}); err == nil {
			if !ValidCommit(p.Commit) {
				t.Fatalf("a commit %q", p.Commit)
			}
			pack.Close()
		}
		got, err := c.Unpack(context.Background(), Unpack{}, Pack{}, bytes.NewReader(nil))
		if err == nil && (len(got.Diff) > MaxDiff+len("…") || strings.ContainsAny(got.Diff+got.Stat, "\x1b\r\x07")) {
			t.Fatalf("a difference of %d bytes, or with control characters", len(got.Diff))
		}
	})
}
