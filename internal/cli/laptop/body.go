package laptop

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// maxKept is how large a body may be that is kept to be sent again, in bytes: Git's requests are smaller, but for the packs of
// pushes.
const maxKept = 1 << 20

// repeatable keeps a small body, so that the request can be sent once more with the nonce that the server wants.
func repeatable(r *http.Request) {
	if r.ContentLength <= 0 || r.ContentLength > maxKept {
		return
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, r.ContentLength))
	rest := io.Reader(r.Body)
	if err != nil || int64(len(text)) < r.ContentLength { // it broke off: whoever reads on meets that
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(text), rest))
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
}

// detailOf is what a problem document says to a person.
func detailOf(body []byte) string {
	var d struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(body, &d) != nil || d.Detail == "" {
		return "The server does not take your tokens."
	}
	return d.Detail
}
