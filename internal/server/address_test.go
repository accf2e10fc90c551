package server

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// from is a connection that says it comes from elsewhere.
type from struct {
	net.Conn
	address net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.address }

// listener gives out connections from a channel.
type listener struct{ next chan net.Conn }

func (l listener) Accept() (net.Conn, error) {
	c, ok := <-l.next
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (l listener) Close() error   { return nil }
func (l listener) Addr() net.Addr { return &net.TCPAddr{} }

func TestAttack33OneAddressTakesNotAllConnections(t *testing.T) {
	inner := listener{make(chan net.Conn, 16)}
	l := newPerAddress(inner, 2, proxies{netip.MustParsePrefix("192.0.2.9/32"), netip.MustParsePrefix("2001:db8::9/128")})
	dial := func(ip string) (ours, theirs net.Conn) {
		ours, theirs = net.Pipe()
		inner.next <- from{theirs, &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}}
		return ours, theirs
	}
	accept := func() net.Conn {
		t.Helper()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	dial("192.0.2.1")
	first := accept()
	dial("192.0.2.1")
	second := accept()
	third, _ := dial("192.0.2.1")
	dial("192.0.2.2") // another address is not held up
	other := accept()
	_ = third.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := third.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the third connection of an address: %v", err)
	}
	if n := l.refused.Load(); n != 1 {
		t.Errorf("%d refused", n)
	}
	first.Close()
	first.Close() // counts once
	dial("::ffff:192.0.2.1")
	accept().Close()
	second.Close()
	other.Close()
	for range 5 { // this machine's own are not counted, nor a trusted proxy's
		for _, ip := range []string{"127.0.0.1", "192.0.2.9", "2001:db8::9"} {
			dial(ip)
			defer accept().Close()
		}
	}
	if len(l.open) != 0 {
		t.Errorf("still counted: %v", l.open)
	}
}

func TestAttack33OneAddressBeginsFewSignIns(t *testing.T) {
	p := &perMinute{most: 2}
	now := time.Now()
	for i, c := range []struct {
		from string
		at   time.Duration
		want bool
	}{
		{"192.0.2.1:1", 0, true}, {"192.0.2.1:2", 0, true}, {"192.0.2.1:3", 0, false}, {"192.0.2.2:1", 0, true},
		{"[2001:db8::1]:1", 0, true}, {"[2001:db8::2]:1", 0, true}, {"[2001:db8::3]:1", 0, false}, {"[2001:db8:0:1::1]:1", 0, true},
		{"127.0.0.1:1", 0, true}, {"127.0.0.1:1", 0, true}, {"127.0.0.1:1", 0, true}, {"@", 0, true},
		{"192.0.2.1:4", time.Minute, true},
	} {
		if got := p.allow(c.from, now.Add(c.at)); got != c.want {
			t.Errorf("%d: %s after %s: %v", i, c.from, c.at, got)
		}
	}
}
