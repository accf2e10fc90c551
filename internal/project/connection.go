package project

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/source"
)

// Connection says how an app is reached. The value is comparable; zero durations are the defaults of the gateway.
type Connection struct {
	HTTP2     HTTP2
	Dial      time.Duration // until the connection stands
	Handshake time.Duration // of TLS
	Answer    time.Duration // from the end of the request to the beginning of the answer
	Idle      time.Duration // without a byte in either direction while a request is open
}

// HTTP2 says whether an app speaks HTTP/2.
type HTTP2 uint8

const (
	HTTP2Agreed HTTP2 = iota // over TLS where both agree on it (ALPN); HTTP/1.1 elsewhere
	HTTP2Always              // with prior knowledge, also without TLS (RFC 9113 section 3.3)
	HTTP2Never
)

// maxTimeout bounds what a project may set.
const maxTimeout = 24 * time.Hour

func readConnection(m source.Mapping) (c Connection) {
	if e, ok := m.Find("http2"); ok {
		if always, ok := e.Value.Bool(); ok && always {
			c.HTTP2 = HTTP2Always
		} else if ok {
			c.HTTP2 = HTTP2Never
		}
	}
	e, ok := m.Find("timeouts")
	if !ok {
		return c
	}
	times, ok := e.Value.Mapping()
	if !ok {
		return c
	}
	times.Keys([]string{"dial", "tls", "answer", "idle"}, nil)
	for key, to := range map[string]*time.Duration{"dial": &c.Dial, "tls": &c.Handshake, "answer": &c.Answer, "idle": &c.Idle} {
		e, ok := times.Find(key)
		if !ok {
			continue
		}
		if d, ok := e.Value.Duration(); ok && (d < 100*time.Millisecond || d > maxTimeout) {
			e.Value.Report("a timeout is between 100ms and 24h")
		} else if ok {
			*to = d
		}
	}
	return c
}
