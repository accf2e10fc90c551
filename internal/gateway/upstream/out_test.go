package upstream

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Nothing that is not on the public internet is dialled for a workspace, however it is written.
func TestAttack21WorkspacesConnectToPublicAddressesOnly(t *testing.T) {
	for _, s := range []string{
		"127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "168.63.129.16", "100.100.100.200",
		"192.0.0.192", "100.64.0.1", "100.127.255.255", "0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "240.0.0.1", "198.18.0.1", "198.19.255.255",
		"192.0.2.1", "198.51.100.1", "203.0.113.1", "::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a00:1::", "2002:a9fe:a9fe::1", "fe80::1", "fe80::1%eth0",
		"fc00::1", "fd00:ec2::254", "fd20:ce::254", "fec0::1", "ff02::1", "2001:db8::1", "2001::1", "100::1", "3fff::1", "5f00::1", "::ffff:0:127.0.0.1",
	} {
		if public(netip.MustParseAddr(s)) == nil {
			t.Errorf("%s is taken for public", s)
		}
	}
	for _, s := range []string{"1.1.1.1", "8.8.8.8", "151.101.0.223", "172.32.0.1", "100.128.0.1", "2606:4700::1", "2a04:4e42::223", "64:ff9b::808:808", "::ffff:8.8.8.8"} {
		if err := public(netip.MustParseAddr(s)); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// A name that leads inside is refused after it was resolved, and an address is refused as it stands.
func TestAttack22NamesThatLeadInside(t *testing.T) {
	u := New(Config{Log: slog.New(slog.DiscardHandler)})
	for _, host := range []string{"localhost", "127.0.0.1", "::1", "169.254.169.254", "10.1.2.3"} {
		conn, err := u.DialOut(t.Context(), host, 9)
		if err == nil {
			conn.Close()
			t.Errorf("%s is dialled", host)
		} else if problem.KindOf(err) != problem.Denied {
			t.Errorf("%s: %v", host, err)
		}
	}
	for ip := range ownAddresses() {
		if _, err := u.DialOut(t.Context(), ip.WithZone("").String(), 9); problem.KindOf(err) != problem.Denied {
			t.Errorf("the machine's own address %s: %v", ip, err)
		}
	}
}
