package ship

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
)

const (
	syslogTimeout  = 10 * time.Second
	defaultSettled = 10 * time.Second
	// facility is "log audit" (RFC 5424, section 6.2.1).
	facility = 13
)

// syslog sends messages (RFC 5424) over a stream with octet counting (RFC 6587 section 3.4.1, RFC 5425 for TLS), or
// one a datagram to a Unix socket that takes datagrams. The protocol acknowledges nothing, therefore Settle.
type syslog struct {
	c          Config
	network    string
	address    string
	tls        *tls.Config // nil: none
	host, proc string

	conn   net.Conn
	mu     sync.Mutex
	broken error // what the reader of conn found
}

func newSyslog(c Config, u *url.URL, trust *tls.Config) (*syslog, error) {
	s := &syslog{c: c, host: hostname(), proc: strconv.Itoa(os.Getpid())}
	switch u.Scheme {
	case "unix":
		s.network, s.address = "unix", u.Path
	case "tls":
		s.network, s.address, s.tls = "tcp", u.Host, trust.Clone()
		s.tls.ServerName = u.Hostname()
	case "tcp":
		s.network, s.address = "tcp", u.Host
	default:
		return nil, fmt.Errorf("a syslog address begins with tcp://, tls:// or unix://")
	}
	return s, nil
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "-"
	}
	return name
}

func (s *syslog) Name() string { return s.c.Name }

func (s *syslog) Settle() time.Duration {
	if s.c.Settled > 0 {
		return s.c.Settled
	}
	return defaultSettled
}

// Send writes the messages. Without any it looks whether the connection is still there.
func (s *syslog) Send(ctx context.Context, batch []audit.Exported) error {
	if err := s.lost(); err != nil {
		s.close()
		return err
	}
	if len(batch) == 0 {
		return nil
	}
	if s.conn == nil {
		if err := s.connect(ctx); err != nil {
			return err
		}
	}
	err := s.write(ctx, batch)
	if err != nil {
		s.close()
	}
	return err
}

func (s *syslog) write(ctx context.Context, batch []audit.Exported) error {
	deadline := time.Now().Add(syslogTimeout)
	if at, ok := ctx.Deadline(); ok && at.Before(deadline) {
		deadline = at
	}
	if err := s.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	datagrams := s.conn.RemoteAddr() != nil && s.conn.RemoteAddr().Network() == "unixgram"
	var frames []byte
	for _, e := range batch {
		m := s.message(e.Event)
		if datagrams {
			if _, err := s.conn.Write(m); err != nil {
				return err
			}
			continue
		}
		frames = append(append(strconv.AppendInt(frames, int64(len(m)), 10), ' '), m...)
	}
	_, err := s.conn.Write(frames)
	return err
}

// connect dials, and watches the connection: a syslog server says nothing, so whatever ends a read is its end.
func (s *syslog) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, syslogTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, s.network, s.address)
	if err != nil && s.network == "unix" { // such as /dev/log
		if other, errOther := d.DialContext(ctx, "unixgram", s.address); errOther == nil {
			s.conn = other
			return nil
		}
	}
	if err != nil {
		return err
	}
	if s.tls != nil {
		secure := tls.Client(conn, s.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return err
		}
		conn = secure
	}
	s.conn = conn
	s.mu.Lock()
	s.broken = nil
	s.mu.Unlock()
	go func() {
		_, err := io.Copy(io.Discard, conn)
		if err == nil {
			err = errors.New("the syslog server closed the connection")
		}
		s.mu.Lock()
		s.broken = err
		s.mu.Unlock()
	}()
	return nil
}

func (s *syslog) lost() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil
	}
	return s.broken
}

func (s *syslog) close() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// Close ends the connection.
func (s *syslog) Close() error {
	s.close()
	return nil
}

// message is one event (RFC 5424, section 6): what one filters by as structured data, the event as JSON as message.
func (s *syslog) message(e audit.Event) []byte {
	level := 6 // informational
	switch e.Outcome {
	case audit.Denied, audit.Refused, audit.Cut:
		level = 4 // warning
	case audit.Failed:
		level = 3 // error
	case audit.Alarm:
		level = 1 // action must be taken immediately
	}
	b := fmt.Appendf(nil, "<%d>1 %s %s lanyard %s %s [lanyard@32473 seq=\"%d\" outcome=\"%s\"",
		facility*8+level, e.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), printable(s.host, 255), s.proc, printable(e.Action, 32), e.Seq, escaped(string(e.Outcome)))
	add := func(name, value string) {
		if value != "" {
			b = fmt.Appendf(b, ` %s="%s"`, name, escaped(value))
		}
	}
	if e.User != nil {
		add("user", e.User.Object)
	}
	add("session", string(e.Session))
	add("workspace", string(e.Workspace))
	add("project", e.Project)
	add("resource", e.Resource)
	b = append(b, "] \xEF\xBB\xBF"...) // UTF-8 follows
	return append(b, e.String()...)
}

// printable makes a header's field: printable ASCII without spaces, of a bounded length; "-" for nothing.
func printable(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < 33 || r > 126 {
			return '_'
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), most)]
}

// escaped is a parameter's value (section 6.3.3), without control characters.
func escaped(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 32 || r == 127 {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(s)
}
