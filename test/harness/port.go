package harness

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"testing"
)

// Ports that tests give out are below those that systems choose for connections (net.ipv4.ip_local_port_range, from 32768
// on; RFC 6335 has them from 49152 on), so that nobody's connection takes one between FreePort and who listens there.
const firstPort, ports = 10000, 20000

// given counts the ports that FreePort looked at. Test binaries, which run side by side, begin far from each other.
var given atomic.Int64

// FreePort is a port of loopback that nobody listens on now, and that this test binary gives out once.
func FreePort(t testing.TB) int {
	t.Helper()
	var err error
	for range ports {
		port := firstPort + (os.Getpid()*131+int(given.Add(1)))%ports
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatalf("no port of loopback is free: %v", err)
	return 0
}
