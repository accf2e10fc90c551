package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// firstInherited is the first file descriptor that is handed over (sd_listen_fds(3)).
const firstInherited = 3

// sockets are those that systemd has opened for this process: then a server without any privilege listens on port 443,
// and nobody is refused while it is started again.
type sockets struct{ listeners []net.Listener }

// inherit takes over the sockets that were handed to this process, and takes them out of the environment.
func inherit() (*sockets, error) {
	out := &sockets{}
	pid, count := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	if pid != strconv.Itoa(os.Getpid()) {
		return out, nil
	}
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > 100 {
		return nil, fmt.Errorf("LISTEN_FDS is %q", count)
	}
	for fd := firstInherited; fd < firstInherited+n; fd++ {
		syscall.CloseOnExec(fd) // for whatever is started
		file := os.NewFile(uintptr(fd), "inherited socket")
		l, err := net.FileListener(file)
		file.Close() // l has its own
		if err != nil {
			out.close()
			return nil, fmt.Errorf("take over socket %d: %w", fd, err)
		}
		out.listeners = append(out.listeners, l)
	}
	return out, nil
}

// listen takes the socket that was handed over for an address, or opens one.
func (s *sockets) listen(ctx context.Context, address string) (net.Listener, error) {
	want, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	for i, l := range s.listeners {
		if at, ok := l.Addr().(*net.TCPAddr); ok && at.Port == want.Port && (at.IP.Equal(want.IP) || unspecified(at.IP) && unspecified(want.IP)) {
			s.listeners = append(s.listeners[:i], s.listeners[i+1:]...)
			return l, nil
		}
	}
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", address)
}

func unspecified(ip net.IP) bool { return len(ip) == 0 || ip.IsUnspecified() }

// rest closes what nobody asked for, and says that somebody expects answers there.
func (s *sockets) rest() error {
	if len(s.listeners) == 0 {
		return nil
	}
	at := s.listeners[0].Addr()
	s.close()
	return problem.New(problem.Invalid, "A socket on %s was handed over, where the configuration does not listen. Name that address as `listen` or `tls: {plain: …}`, or take it out of the socket unit.", at)
}

func (s *sockets) close() {
	for _, l := range s.listeners {
		l.Close()
	}
	s.listeners = nil
}

// tell tells the service manager how this process is doing (sd_notify(3)), if it wants to know.
func tell(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	return nil
}

func (s *Server) tell(state string) {
	if err := tell(state); err != nil {
		s.log.Warn("the service manager was not told", "state", state, "error", err)
	}
}
