package agentapi

import (
	"bytes"
	"context"
	"io"
	"net/http"
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
	})
}
