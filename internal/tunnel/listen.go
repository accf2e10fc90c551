package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/yamux"
	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// SocketName is the socket's file name in a workspace's folder.
const SocketName = "lanyard.sock"

// maxSocketPath leaves room below the 108 bytes of sockaddr_un, on every system and for the temporary name.
const maxSocketPath = 100

// Listen makes the workspace's folder and the socket in it, and accepts its peer from then on. uid is the host's user
// that the workspace runs as: only that user and the server's reach the socket, and the kernel's word on who
// connected (SO_PEERCRED) must be that user. The folder is the same at every call, also after a restart of the
// server; the socket in it is new. Listening twice is no error when uid is the same.
func (h *Hub) Listen(ctx context.Context, id identity.WorkspaceID, uid int) (dir string, err error) {
	dir = filepath.Join(h.dir, id.Label())
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return "", problem.New(problem.Unavailable, "The server is shutting down.")
	}
	if old := h.doors[id]; old != nil {
		if old.uid != uid {
			return "", problem.New(problem.Conflict, "The workspace %s already has a socket for another user of this machine.", id)
		}
		return old.dir, nil
	}
	l, err := listenUnix(ctx, h.dir, dir, uid, h.hidden)
	if err != nil {
		return "", err
	}
	d := &door{id: id, uid: uid, dir: dir, listener: l, changed: make(chan struct{}), pending: make(map[net.Conn]struct{}), plain: make(map[*plainConn]struct{})}
	h.doors[id] = d
	h.wg.Go(func() { h.accept(d) })
	return dir, nil
}

// listenUnix binds beside the final name and renames, so that the socket appears with its owner and mode already right.
func listenUnix(ctx context.Context, parent, dir string, uid int, hidden bool) (*net.UnixListener, error) {
	path := filepath.Join(dir, SocketName)
	if len(path) >= maxSocketPath {
		return nil, problem.New(problem.Invalid, "The path of a workspace's socket, %s, has %d bytes and may have %d: choose a data folder with a shorter path.", path, len(path), maxSocketPath-1)
	}
	mode := fs.FileMode(0o711)
	if hidden {
		mode = 0o700
	}
	if err := os.MkdirAll(parent, mode); err != nil {
		return nil, fmt.Errorf("socket folder: %w", err)
	}
	if err := os.Chmod(parent, mode); err != nil { // an earlier server may have run workspaces in another way
		return nil, fmt.Errorf("socket folder: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("socket folder: %w", err)
	}
	dirMode, socketMode := fs.FileMode(0o700), fs.FileMode(0o600)
	switch {
	case uid == os.Geteuid():
	case os.Geteuid() != 0:
		// Nothing can be given to another user. Whoever reaches the socket may dial it; who that is the kernel says, and
		// everybody but the workspace's user is refused.
		dirMode, socketMode = 0o711, 0o666
	default:
		// The group is the workspace's alone: it may look and connect, not write.
		if err := os.Chown(dir, os.Geteuid(), uid); err != nil {
			return nil, fmt.Errorf("socket folder: %w", err)
		}
		dirMode, socketMode = 0o750, 0o660
	}
	if err := os.Chmod(dir, dirMode); err != nil {
		return nil, fmt.Errorf("socket folder: %w", err)
	}
	fresh := filepath.Join(dir, ".new")
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("socket: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", fresh)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	l := listener.(*net.UnixListener)
	l.SetUnlinkOnClose(false) // the name it knows is gone by then
	if err := publish(fresh, path, uid, socketMode); err != nil {
		l.Close()
		return nil, fmt.Errorf("socket: %w", err)
	}
	return l, nil
}

func publish(fresh, path string, uid int, mode fs.FileMode) error {
	if uid != os.Geteuid() && os.Geteuid() == 0 {
		if err := os.Chown(fresh, os.Geteuid(), uid); err != nil {
			return err
		}
	}
	if err := os.Chmod(fresh, mode); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// What one workspace may have open at the server, so that its processes cannot take the server's memory and
// descriptors: connections that have not said hello yet, and streams.
const (
	maxPending = maxPlain + 16
	maxStreams = 1024
)

func (h *Hub) accept(d *door) {
	for {
		c, err := d.listener.AcceptUnix()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				h.log.Error("tunnel: accept", "workspace", d.id, "err", err)
				// Out of file descriptors, most likely: they come back.
				time.Sleep(100 * time.Millisecond)
				continue
			}
			return
		}
		h.mu.Lock()
		current, room := h.doors[d.id] == d, len(d.pending) < maxPending
		if current && room {
			d.pending[c] = struct{}{}
		}
		h.mu.Unlock()
		if !current {
			c.Close()
			return
		}
		if !room {
			c.Close()
			continue
		}
		h.wg.Go(func() { h.serve(d, c) })
	}
}

// serve greets one peer and serves its streams until the connection ends.
func (h *Hub) serve(d *door, c *net.UnixConn) {
	hello, err := h.admit(d, c)
	h.mu.Lock()
	delete(d.pending, c)
	h.mu.Unlock()
	if err != nil {
		c.Close()
		h.log.Warn("tunnel: refused", "workspace", d.id, "err", err)
		return
	}
	if hello.Plain {
		if err := h.plain(d, c); err != nil {
			_ = writeHello(c, Hello{Protocol: Protocol, Build: h.build, Error: err.Error()}) // refused either way
			c.Close()
		}
		return
	}
	defer c.Close()
	if err := writeHello(c, Hello{Protocol: hello.Protocol, Build: h.build}); err != nil {
		h.log.Warn("tunnel: refused", "workspace", d.id, "err", err)
		return
	}
	session, err := yamux.Server(newBuffered(c), yamuxConfig(h.log))
	if err != nil {
		h.log.Error("tunnel", "workspace", d.id, "err", err)
		return
	}
	h.mu.Lock()
	if h.doors[d.id] != d {
		h.mu.Unlock()
		session.Close()
		return
	}
	old, plain := d.session, d.takePlain()
	d.session, d.hello, d.since = session, hello, time.Now()
	close(d.changed)
	d.changed = make(chan struct{})
	h.mu.Unlock()
	for _, c := range plain { // of the older tunnel
		c.Close()
	}
	if old != nil {
		old.Close() // the newer connection is the agent's; the older one is what it gave up
	}
	h.log.Info("tunnel: connected", "workspace", d.id, "build", hello.Build)
	err = h.server.Serve(&streamListener{session: session, id: d.id})
	session.Close()
	plain = nil
	h.mu.Lock()
	if d.session == session {
		d.session = nil
		close(d.changed)
		d.changed = make(chan struct{})
		plain = d.takePlain()
	}
	h.mu.Unlock()
	for _, c := range plain {
		c.Close()
	}
	h.log.Info("tunnel: disconnected", "workspace", d.id, "cause", err)
}

// admit checks who connected and hears their hello, which is not answered yet.
func (h *Hub) admit(d *door, c *net.UnixConn) (Hello, error) {
	uid, err := peerUID(c)
	if err != nil {
		return Hello{}, err
	}
	if uid != d.uid {
		return Hello{}, fmt.Errorf("tunnel: user %d connected to the socket of user %d", uid, d.uid)
	}
	return hear(c, h.build, Protocol)
}

// peerUID is the kernel's word on who connected (unix(7), SO_PEERCRED), in the server's user namespace.
func peerUID(c *net.UnixConn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("tunnel: peer: %w", err)
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, fmt.Errorf("tunnel: peer: %w", err)
	}
	if credErr != nil {
		return 0, fmt.Errorf("tunnel: peer: %w", credErr)
	}
	return int(cred.Uid), nil
}

// streamListener gives a peer's streams to the HTTP server, with the workspace that they come from.
type streamListener struct {
	session *yamux.Session
	id      identity.WorkspaceID
	open    atomic.Int64
}

// peerStream is a stream that a workspace opened.
type peerStream struct {
	*yamux.Stream
	id     identity.WorkspaceID
	closed func()
}

func (l *streamListener) Accept() (net.Conn, error) {
	for {
		s, err := l.session.AcceptStream()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) > maxStreams {
			l.open.Add(-1)
			s.Close()
			continue
		}
		return &peerStream{s, l.id, sync.OnceFunc(func() { l.open.Add(-1) })}, nil
	}
}

// workspace implements peerConn.
func (s *peerStream) workspace() identity.WorkspaceID { return s.id }

func (s *peerStream) Close() error {
	s.closed()
	return s.Stream.Close()
}

func (l *streamListener) Close() error   { return l.session.Close() }
func (l *streamListener) Addr() net.Addr { return l.session.Addr() }
