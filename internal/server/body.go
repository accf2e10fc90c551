package server

import (
	"io"
	"net/http"
	"time"
)

// bodyWithin is how long the body of a request from the network may take to come. Nobody who speaks over the network
// sends more than a form or a notification; without a bound a stranger could hold connections by sending a byte a minute,
// whatever the address answers, since the server reads on after the answer. Workspaces come through their tunnels.
const bodyWithin = 30 * time.Second

// inTime bounds how long the request's body may take.
func inTime(w http.ResponseWriter, r *http.Request, within time.Duration) {
	if r.ContentLength == 0 || r.Body == nil {
		return
	}
	limits := http.NewResponseController(w)
	if limits.SetReadDeadline(time.Now().Add(within)) != nil {
		return // a recorder in a test has no deadlines
	}
	r.Body = &timedBody{r.Body, limits}
}

// timedBody lifts the bound when all has been read: the answer may take longer, and the connection is used again.
type timedBody struct {
	io.ReadCloser
	limits *http.ResponseController
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.limits.SetReadDeadline(time.Time{}) // it was set, so it can be
	}
	return n, err
}
