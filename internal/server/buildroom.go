package server

import (
	"context"
	"io"
)

// foldersAtOnce is how many folders builds hold in memory, each as large as gitread lets it be: further ones wait for one to end.
const foldersAtOnce = 8

// buildRoom has room for the folders of builds.
type buildRoom chan struct{}

func newBuildRoom() buildRoom { return make(buildRoom, foldersAtOnce) }

// roomHeld is what one build holds of it: nothing, or the room of one folder.
type roomHeld struct {
	of   buildRoom
	held bool
}

func (r buildRoom) hold() *roomHeld { return &roomHeld{of: r} }

// take waits for room.
func (h *roomHeld) take(ctx context.Context) error {
	select {
	case h.of <- struct{}{}:
		h.held = true
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// leave gives back what was taken.
func (h *roomHeld) leave() {
	if h.held {
		<-h.of
		h.held = false
	}
}

// inRoom is what is read of a folder that has room until it is closed.
type inRoom struct {
	io.ReadCloser
	room *roomHeld
}

func (f inRoom) Close() error {
	defer f.room.leave()
	return f.ReadCloser.Close()
}
