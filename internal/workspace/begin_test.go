package workspace_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// beginning is a runtime that makes folders while the image is got ready.
type beginning struct {
	*faulty
	during func(context.Context) error // what it waits for
}

func (b *beginning) Begin(ctx context.Context, s workspace.Spec, progress func(string)) (bool, error) {
	b.mu.Lock()
	_, had := b.runs[s.ID]
	if !had {
		b.runs[s.ID] = false
	}
	b.mu.Unlock()
	progress("making folders")
	return !had, b.during(ctx)
}

func (b *beginning) here(id identity.WorkspaceID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, here := b.runs[id]
	return here
}

// together is a world whose image and folders wait for each other.
func together(t *testing.T) (w *world, r *beginning, image, folders chan struct{}) {
	image, folders = make(chan struct{}), make(chan struct{})
	r = &beginning{faulty: newFaulty(), during: meets(folders, image)}
	w = newWorld(t)
	w.end()
	w.f, w.runtime = r.faulty, r
	imageMeets := meets(image, folders)
	w.getting = func(ctx context.Context, say workspace.Say) error {
		say(workspace.Building, "getting the image")
		return imageMeets(ctx)
	}
	w.start()
	return w, r, image, folders
}

// meets tells its side, and waits for the other one.
func meets(own chan<- struct{}, other <-chan struct{}) func(context.Context) error {
	return func(ctx context.Context) error {
		for own, other := own, other; own != nil || other != nil; {
			select {
			case own <- struct{}{}:
				own = nil
			case <-other:
				other = nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}
}

// waits is for what goes on until it is ended, and tells that it began.
func waits(began chan<- struct{}) func(context.Context) error {
	return func(ctx context.Context) error {
		began <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
}

func TestImageAndFoldersAreMadeTogether(t *testing.T) {
	w, r, image, _ := together(t)
	row := w.create()
	w.until(row.ID, workspace.Running) // they met, so neither waited for the other's end
	lines, _, stop := w.m.Follow(row.ID)
	stop()
	for _, text := range []string{"getting the image", "making folders"} {
		if !slices.ContainsFunc(lines, func(l workspace.Line) bool { return l.Text == text }) {
			t.Errorf("%q is not told: %v", text, lines)
		}
	}
	if len(r.deleted) > 0 {
		t.Errorf("deleted: %v", r.deleted)
	}
	w.want(row.ID, workspace.WantStopped)
	w.until(row.ID, workspace.Stopped)
	w.getting = func(context.Context, workspace.Say) error { // its folders are there: nobody else is met
		select {
		case <-image:
			return errors.New("folders are made again")
		default:
			return nil
		}
	}
	w.want(row.ID, workspace.WantRunning)
	w.until(row.ID, workspace.Running)
}

func TestTheFirstFailureEndsTheOther(t *testing.T) {
	broken := problem.New(problem.BadUpstream, "it broke")
	for name, c := range map[string]struct {
		image, folders func(chan struct{}) func(context.Context) error
		step           string
	}{
		"the image fails": {func(other chan struct{}) func(context.Context) error {
			return func(context.Context) error { <-other; return workspace.AtStep("making the image ready", broken) }
		}, func(other chan struct{}) func(context.Context) error { return waits(other) }, "making the image ready"},
		"the folders fail": {func(other chan struct{}) func(context.Context) error { return waits(other) }, func(other chan struct{}) func(context.Context) error {
			return func(context.Context) error { <-other; return broken }
		}, "making the workspace's folders"},
	} {
		t.Run(name, func(t *testing.T) {
			w, r, _, _ := together(t)
			other := make(chan struct{})
			image := c.image(other)
			good := w.getting
			w.getting = func(ctx context.Context, _ workspace.Say) error { return image(ctx) }
			meets := r.during
			r.during = c.folders(other)
			row := w.create()
			now := w.until(row.ID, workspace.Stopped)
			if now.Failed == nil || now.Failed.Step != c.step || !strings.Contains(now.Message, "it broke") || len(now.Failed.Lines) == 0 {
				t.Errorf("%+v %q", now.Failed, now.Message)
			}
			if r.here(row.ID) {
				t.Error("what was begun is left")
			}
			w.getting, r.during = good, meets
			w.want(row.ID, workspace.WantRunning)
			if now := w.until(row.ID, workspace.Running); now.Failed != nil {
				t.Errorf("it runs, and failed: %+v", now.Failed)
			}
		})
	}
}

// Who gives up while both are under way ends both, and nothing is left; a server that ends leaves them to the next one.
func TestGivenUpWhileBothAreUnderWay(t *testing.T) {
	under := func(t *testing.T) (*world, *beginning, workspace.Workspace) {
		w, r, _, _ := together(t)
		began := make(chan struct{})
		wait := waits(began)
		w.getting, r.during = func(ctx context.Context, _ workspace.Say) error { return wait(ctx) }, wait
		row := w.create()
		<-began
		<-began
		return w, r, row
	}
	t.Run("stopped", func(t *testing.T) {
		w, r, row := under(t)
		w.want(row.ID, workspace.WantStopped)
		if now := w.until(row.ID, workspace.Stopped); now.Failed != nil || r.here(row.ID) {
			t.Errorf("%+v, left: %v", now.Failed, r.here(row.ID))
		}
	})
	t.Run("deleted", func(t *testing.T) {
		w, r, row := under(t)
		w.want(row.ID, workspace.WantDeleted)
		w.until(row.ID, "")
		if r.here(row.ID) {
			t.Error("what was begun is left")
		}
	})
	t.Run("the server ends", func(t *testing.T) {
		w, r, row := under(t)
		w.end()
		w.getting, r.during = nil, func(context.Context) error { return nil }
		w.start()
		w.until(row.ID, workspace.Running)
		if len(r.deleted) > 0 {
			t.Errorf("deleted: %v", r.deleted)
		}
	})
}

// Volumes are as large as the class that the repository's file leads to.
func TestAnotherClassBeginsAnew(t *testing.T) {
	w, r, _, _ := together(t)
	w.note = func(d *workspace.Details) { d.Class = "large" }
	row, err := w.order("ada", "small")
	if err != nil {
		t.Fatal(err)
	}
	w.until(row.ID, workspace.Running)
	if !slices.Equal(r.deleted, []identity.WorkspaceID{row.ID}) {
		t.Errorf("deleted: %v", r.deleted)
	}
}
