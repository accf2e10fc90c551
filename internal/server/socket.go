package server

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// maxSocketPath is what sockaddr_un holds (unix(7)), without the zero at its end.
const maxSocketPath = 107

// listenSocket opens the operator's Unix socket. Only its owner may open it, by its mode and by who the peer is.
// A socket that answers belongs to a server that runs: then there must not be a second one.
func listenSocket(path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, problem.New(problem.Invalid, "The path of the operator's socket, %s, has %d bytes and may have %d: choose a data folder with a shorter path.",
			path, len(path), maxSocketPath)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, problem.New(problem.Conflict, "A Lanyard server runs on this data already (its socket %s answers). Stop it first, or choose another data folder.", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the socket's folder: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the socket of an earlier server: %w", err)
	}
	old := syscall.Umask(0o177) // never, not even for a moment, open to others
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("open the operator's socket: %w", err)
	}
	return ownerListener{l}, nil
}

// ownerListener turns away whoever is not the server's own user, or root.
type ownerListener struct{ net.Listener }

func (l ownerListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, err := peerUID(c); err == nil && (uid == os.Getuid() || uid == 0) {
			return c, nil
		}
		c.Close()
	}
}

func peerUID(c net.Conn) (int, error) {
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var got error
	err = raw.Control(func(fd uintptr) { cred, got = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, got); err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}

// operator identifies the socket's peers.
func operator(*http.Request) (identity.Principal, error) {
	return identity.Principal{Kind: identity.Operator}, nil
}
