package sandbox

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

var _ workspace.Watcher = (*Runtime)(nil)

// Watch implements workspace.Watcher: the kernel tells when the process of a pidfd ends.
func (r *Runtime) Watch(ctx context.Context, changed func(identity.WorkspaceID)) error {
	began := make(chan identity.WorkspaceID, 64)
	r.mu.Lock()
	r.watchers[began] = struct{}{}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.watchers, began)
		r.mu.Unlock()
	}()
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("sandbox: watch: %w", err)
	}
	w := watch{runtime: r, poll: poll, byFD: map[int32]identity.WorkspaceID{}, ended: make(chan int32)}
	defer w.close()
	stop, err := w.wait()
	if err != nil {
		return fmt.Errorf("sandbox: watch: %w", err)
	}
	defer stop()
	all, err := r.List(ctx)
	if err != nil {
		return err
	}
	for _, o := range all {
		if o.Running {
			w.add(o.ID, changed)
		}
	}
	collect := time.NewTicker(collectEvery)
	defer collect.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-collect.C:
			r.collectImages(ctx)
		case id := <-began:
			changed(id)
			w.add(id, changed)
		case fd, open := <-w.ended:
			if !open {
				return fmt.Errorf("sandbox: watch: the kernel's word is lost")
			}
			id := w.byFD[fd]
			delete(w.byFD, fd)
			unix.Close(int(fd))
			changed(id)
		}
	}
}

// tell says that a workspace's processes started. A watcher that does not keep up is none: who follows compares lists now
// and then besides.
func (r *Runtime) tell(id identity.WorkspaceID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.watchers {
		select {
		case w <- id:
		default:
		}
	}
}

// watch is one Watch.
type watch struct {
	runtime *Runtime
	poll    int
	byFD    map[int32]identity.WorkspaceID
	ended   chan int32
}

// add follows the process of a workspace that runs; one that ended meanwhile is told at once.
func (w *watch) add(id identity.WorkspaceID, changed func(identity.WorkspaceID)) {
	s, err := readState(w.runtime.dir(id))
	if err != nil || s.Process == nil {
		changed(id)
		return
	}
	fd, err := unix.PidfdOpen(s.Process.PID, 0)
	if err != nil {
		changed(id)
		return
	}
	if !s.Process.alive() { // asked after opening: now the descriptor is that process's
		unix.Close(fd)
		changed(id)
		return
	}
	if err := unix.EpollCtl(w.poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(fd)}); err != nil {
		unix.Close(fd)
		changed(id)
		return
	}
	w.byFD[int32(fd)] = id
}

// wait passes on what ends, until stop is called.
func (w *watch) wait() (stop func(), err error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	if err := unix.EpollCtl(w.poll, unix.EPOLL_CTL_ADD, wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(wake)}); err != nil {
		unix.Close(wake)
		return nil, err
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer close(w.ended)
		for {
			events := make([]unix.EpollEvent, 32)
			n, err := unix.EpollWait(w.poll, events, -1)
			if err != nil && err != unix.EINTR {
				return
			}
			for _, e := range events[:max(n, 0)] {
				if e.Fd == int32(wake) {
					return
				}
				select {
				case w.ended <- e.Fd:
				case <-quit:
					return
				}
			}
		}
	}()
	return func() {
		close(quit)
		_, _ = unix.Write(wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // cannot fail: nothing else was written
		<-done
		unix.Close(wake)
	}, nil
}

func (w *watch) close() {
	for fd := range w.byFD {
		unix.Close(int(fd))
	}
	unix.Close(w.poll)
}
