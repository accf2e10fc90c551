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

// bodyPace is how many bytes a second a request to an app or a push has to bring at least, over its whole time: they are sent
// more than forms, and who sends slowly is not who sends to hold a connection.
const bodyPace = 4 << 10

// inPace bounds how slowly the request's body may come: it has the time that inTime gives, and more as it comes.
func inPace(w http.ResponseWriter, r *http.Request, within time.Duration) {
	if r.ContentLength == 0 || r.Body == nil {
		return
	}
	body := &pacedBody{ReadCloser: r.Body, limits: http.NewResponseController(w), until: time.Now().Add(within)}
	if body.limits.SetReadDeadline(body.until) != nil {
		return // a recorder in a test has no deadlines
	}
	r.Body = body
}

// pacedBody moves the bound as bytes come.
type pacedBody struct {
	io.ReadCloser
	limits *http.ResponseController
	until  time.Time
	since  int // bytes since the bound was moved
}

func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.since += n
	switch {
	case err == io.EOF:
		_ = b.limits.SetReadDeadline(time.Time{}) // it was set, so it can be
	case err == nil && b.since >= bodyPace:
		b.until = b.until.Add(time.Duration(b.since/bodyPace) * time.Second)
		b.since %= bodyPace
		_ = b.limits.SetReadDeadline(b.until)
	}
	return n, err
}
