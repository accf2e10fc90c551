package docker

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	engineimage "github.com/docker/docker/api/types/image"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/space"
)

var _ workspace.Builder = (*Runtime)(nil)

// errFills is why a build is ended that fills the disk.
var errFills = errors.New("docker: a build fills the disk")

// building is a build that is under way.
type building struct {
	r     *Runtime
	name  string // the Dockerfile's path
	began time.Time
	stop  func(error)

	mu    sync.Mutex // guards the rest
	step  string     // that it is at, as the engine says it
	layer string     // the step's container
	upper string     // the folder that the step writes to; empty: the engine is asked
	kept  workspace.DiskUse
	made  []string // images of steps, as the engine says them
}

// begin notes a build. stop ends it.
func (r *Runtime) begin(name string, stop func(error)) *building {
	b := &building{r: r, name: name, began: time.Now(), stop: stop}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.builds[b] = struct{}{}
	return b
}

// close forgets it. What the steps of one that failed have made is removed; a next one begins anew.
func (b *building) close(ctx context.Context, failed *error) {
	b.r.mu.Lock()
	delete(b.r.builds, b)
	b.r.mu.Unlock()
	if *failed == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	b.mu.Lock()
	made := b.made
	b.mu.Unlock()
	for i := len(made) - 1; i >= 0; i-- {
		im, err := b.r.engine.ImageInspect(ctx, made[i])
		if err != nil || len(im.RepoTags) > 0 || !isSince(im.Created, b.began) { // a step may say the name of what is somebody else's
			continue
		}
		if err := b.r.removeMade(ctx, im.ID); err != nil {
			b.r.log.Info("docker: what a build made stays", "image", im.ID, "why", plain(err))
		}
	}
}

// removeMade removes an image, as soon as the engine has removed the container of the step that began with it.
func (r *Runtime) removeMade(ctx context.Context, id string) error {
	for {
		_, err := r.engine.ImageRemove(ctx, id, engineimage.RemoveOptions{})
		if err == nil || notFound(err) {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// isSince reports whether an image was made at or after a time.
func isSince(created string, t time.Time) bool {
	at, err := time.Parse(time.RFC3339Nano, created)
	return err == nil && !at.Before(t.Add(-time.Second))
}

// madeImage is how the engine's builder says what a step made.
var madeImage = regexp.MustCompile(`^ ---> ([0-9a-f]{12})$`)

// maxMade bounds what a step can make us remember.
const maxMade = 1000

// says takes a line of what the engine says.
func (b *building) says(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if strings.HasPrefix(line, "Step ") {
		b.step = line[:min(len(line), 200)]
	} else if m := madeImage.FindStringSubmatch(line); m != nil && len(b.made) < maxMade {
		b.made = append(b.made, m[1])
	}
}

// begins notes the container of a step.
func (b *building) begins(c container.InspectResponse) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.layer, b.upper = c.ID, c.GraphDriver.Data["UpperDir"]
}

// over notes that a step's processes have ended: the engine copies what they wrote to an image; or that its container is gone.
func (b *building) over(ctx context.Context, id string, gone bool) {
	b.mu.Lock()
	ours := id == b.layer
	if ours && gone {
		b.layer, b.upper = "", ""
	}
	b.mu.Unlock()
	if !ours || gone {
		return
	}
	if use, err := b.now(ctx); err == nil {
		b.mu.Lock()
		b.kept = workspace.DiskUse{Bytes: b.kept.Bytes + use.Bytes, Files: b.kept.Files + use.Files}
		b.mu.Unlock()
	}
}

// now is what the step of now has written.
func (b *building) now(ctx context.Context) (workspace.DiskUse, error) {
	b.mu.Lock()
	id, upper := b.layer, b.upper
	b.mu.Unlock()
	if id == "" {
		return workspace.DiskUse{}, nil
	}
	if upper != "" {
		if d, err := os.Open(upper); err == nil {
			d.Close()
			return space.Of(ctx, []string{upper}, workspace.DiskUse{}), context.Cause(ctx)
		}
	}
	c, _, err := b.r.engine.ContainerInspectWithRaw(ctx, id, true)
	if notFound(err) {
		return workspace.DiskUse{}, nil
	}
	if err != nil {
		return workspace.DiskUse{}, b.r.failed("say what a step has written", err)
	}
	var use workspace.DiskUse
	if c.SizeRw != nil {
		use.Bytes = *c.SizeRw
	}
	return use, nil
}

// Builds implements workspace.Builder.
func (r *Runtime) Builds() []workspace.Build {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]workspace.Build, 0, len(r.builds))
	for b := range r.builds {
		all = append(all, b)
	}
	return all
}

// Name implements workspace.Build.
func (b *building) Name() string { return b.name }

// Began implements workspace.Build.
func (b *building) Began() time.Time { return b.began }

// Use implements workspace.Build.
func (b *building) Use(ctx context.Context) (workspace.DiskUse, error) {
	now, err := b.now(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	return workspace.DiskUse{Bytes: b.kept.Bytes + now.Bytes, Files: b.kept.Files + now.Files}, err
}

// End implements workspace.Build.
func (b *building) End(why string) {
	b.mu.Lock()
	step, id := b.step, b.layer
	b.mu.Unlock()
	if step == "" {
		step = "its first step"
	}
	b.stop(problem.Wrap(errFills, problem.Invalid, "The image of %s could not be built: it was ended at %q, because %s. Nothing of it is kept. Let that step write less, or ask an administrator for more room.", b.name, step, why))
	if id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), cleanTime)
	defer cancel()
	if err := b.r.engine.ContainerKill(ctx, id, "KILL"); err != nil && !notFound(err) { // the engine ends it as well, when nobody waits for it
		b.r.log.Info("docker: a step was not ended at once", "container", id, "why", plain(err))
	}
}
