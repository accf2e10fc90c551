package agent

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// ports are those on which something listens in the workspace, and those that its plan names alone.
func (a *Agent) ports() []agentapi.PortState {
	states := map[int]agentapi.PortState{}
	a.mu.Lock()
	plans := a.portPlans
	a.mu.Unlock()
	for _, p := range plans {
		if p.First == p.Last {
			states[p.First] = planned(plans, p.First)
		}
	}
	for port, loopback := range listening() {
		s := planned(plans, port)
		s.Listening, s.Loopback = true, loopback
		states[port] = s
	}
	if _, own, err := net.SplitHostPort(a.config.Listen); err == nil {
		port, _ := strconv.Atoi(own) // it is the one that is listened on
		delete(states, port)
	}
	list := make([]agentapi.PortState, 0, len(states))
	for _, s := range states {
		list = append(list, s)
	}
	slices.SortFunc(list, func(x, y agentapi.PortState) int { return cmp.Compare(x.Port, y.Port) })
	return list
}

// planned is what the plan says of a port; of several, the one that names the fewest ports.
func planned(plans []agentapi.PortPlan, port int) agentapi.PortState {
	s := agentapi.PortState{Port: port}
	narrowest := 1 << 16
	for _, p := range plans {
		if wide := p.Last - p.First; p.First <= port && port <= p.Last && wide < narrowest {
			narrowest = wide
			s.Name, s.OnOpen, s.Protocol, s.Text = p.Name, p.OnOpen, p.Protocol, p.Text
		}
	}
	return s
}

// listening are the ports with a listening TCP socket in this network namespace, and whether each is on loopback only.
func listening() map[int]bool {
	ports := map[int]bool{}
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(name)
		if err != nil {
			continue // without IPv6 there is no tcp6
		}
		for _, at := range listeners(f) {
			loopback, known := ports[int(at.Port())]
			ports[int(at.Port())] = at.Addr().Unmap().IsLoopback() && (loopback || !known)
		}
		f.Close()
	}
	return ports
}

// listeners reads a table of sockets (proc_pid_net(5)): the local address is the second field, the state the fourth, and 0A
// is TCP_LISTEN.
func listeners(table io.Reader) []netip.AddrPort {
	var list []netip.AddrPort
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != "0A" {
			continue
		}
		if at, ok := socketAddress(fields[1]); ok {
			list = append(list, at)
		}
	}
	return list
}

// socketAddress reads "0100007F:1F90": words of four bytes, each in the order of this machine, which is little endian.
func socketAddress(s string) (netip.AddrPort, bool) {
	address, port, ok := strings.Cut(s, ":")
	raw, err := hex.DecodeString(address)
	number, e := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || e != nil {
		return netip.AddrPort{}, false
	}
	for i := 0; i+4 <= len(raw); i += 4 {
		slices.Reverse(raw[i : i+4])
	}
	ip, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip, uint16(number)), ok
}
