package docker

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	engineimage "github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/lanyardhq/lanyard/internal/image"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// loadedPrefix begins the names at the engine of what Lanyard fetched and gave to it, builtPrefix those of what it had it build.
const (
	loadedPrefix = "lanyard-image/"
	builtPrefix  = "lanyard-build/"
)

// loadedAs is the engine's name for an image that is named by a digest: it keeps no such name for what it did not fetch by itself.
func (r *Runtime) loadedAs(pin string) (string, error) {
	server, err := r.server()
	return loadedPrefix + strings.ToLower(server) + ":" + sumOf(pin)[:40], err
}

// inspect finds an image by what Pull and Build call it.
func (r *Runtime) inspect(ctx context.Context, ref string) (engineimage.InspectResponse, error) {
	if strings.Contains(ref, "@") {
		name, err := r.loadedAs(ref)
		if err != nil {
			return engineimage.InspectResponse{}, err
		}
		if im, err := r.engine.ImageInspect(ctx, name); err == nil || !notFound(err) {
			return im, err
		}
	}
	return r.engine.ImageInspect(ctx, ref)
}

// load fetches an image by the way that Lanyard reaches registries, each address checked before it is dialled, and gives it to the
// engine, which itself asks no registry for anything. Layers that came from the same repository before, and that the engine still
// has, are not fetched again.
func (r *Runtime) load(ctx context.Context, o order, ref image.Reference, found image.Found, progress func(string)) error {
	ctx, leave, err := r.loads.Take(ctx, o.For, o.Ref, progress)
	if err != nil {
		return err
	}
	defer leave()
	progress("pulling the image " + o.Ref)
	name, err := r.loadedAs(ref.At(found.Digest))
	if err != nil {
		return err
	}
	repository := filepath.Join(r.root, "layers", sumOf(ref.Host(), ref.Repository()))
	if err := makeFolders(filepath.Dir(repository), repository); err != nil {
		return err
	}
	note := func(layer, content string) string { return filepath.Join(repository, sumOf(layer, content)) }
	skipped := false
	has := func(layer, content string) bool {
		now := time.Now()
		known := os.Chtimes(note(layer, content), now, now) == nil
		skipped = skipped || known
		return known
	}
	m, err := r.machineOf(ctx)
	if err != nil {
		return err
	}
	if m.snapshots {
		has = nil
	}
	before, err := r.hasImage(ctx, found.ID, found.Digest)
	if err != nil {
		return err
	}
	err = r.give(ctx, found, image.ArchiveOrder{Name: name, Dir: filepath.Join(r.root, "layers"), Has: has, Say: progress, Room: r.roomFor(ctx, o.Ref)})
	if err != nil && skipped && ctx.Err() == nil { // somebody removed from the engine what was there
		err = r.give(ctx, found, image.ArchiveOrder{Name: name, Dir: filepath.Join(r.root, "layers"), Say: progress, Room: r.roomFor(ctx, o.Ref)})
	}
	if err != nil {
		if _, ok := errors.AsType[*problem.Error](err); ok || ctx.Err() != nil {
			return err
		}
		return r.notLoaded(o.Ref, err)
	}
	im, err := r.engine.ImageInspect(ctx, name)
	if err != nil {
		return r.failed("look for the image "+o.Ref, err)
	}
	for _, l := range found.Layers() {
		if err := replaceFile(note(l.Digest, l.Content), nil, 0o600); err != nil {
			r.log.Warn("docker: that a layer was fetched could not be noted", "err", err)
		}
	}
	if o.offline && !strings.Contains(ref.String(), "@") { // so that it is found where no registry can be asked
		if err := r.engine.ImageTag(ctx, name, ref.String()); err != nil {
			return r.failed("name the image "+o.Ref, err)
		}
	}
	if before {
		r.used(im.ID)
	} else {
		r.made(im.ID)
	}
	return nil
}

// hasImage reports whether the engine has an image by one of the IDs that engines give it.
func (r *Runtime) hasImage(ctx context.Context, ids ...string) (bool, error) {
	for _, id := range ids {
		_, err := r.engine.ImageInspect(ctx, id)
		if err == nil {
			return true, nil
		}
		if !notFound(err) {
			return false, r.failed("look for an image", err)
		}
	}
	return false, nil
}

// give writes an image into the engine.
func (r *Runtime) give(ctx context.Context, found image.Found, o image.ArchiveOrder) error {
	out, in := io.Pipe()
	wrote := make(chan error, 1)
	go func() {
		err := found.Archive(ctx, in, o)
		in.CloseWithError(err) // nil: the end
		wrote <- err
	}()
	answer, err := r.engine.ImageLoad(ctx, out, client.ImageLoadWithQuiet(true))
	if err == nil {
		err = follow(answer.Body, func(message) {})
		if e := answer.Body.Close(); err == nil {
			err = e
		}
	}
	out.CloseWithError(errNotTaken)
	if fetched := <-wrote; fetched != nil && !errors.Is(fetched, errNotTaken) {
		return fetched
	}
	return err
}

var errNotTaken = errors.New("the engine did not take the image")

// notLoaded is the error of an image that the engine refused. Its own words are for the log alone.
func (r *Runtime) notLoaded(ref string, err error) error {
	if client.IsErrConnectionFailed(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return r.failed("take the image "+ref, err)
	}
	r.log.Warn("docker: the engine did not take an image", "image", ref, "err", plain(err))
	return problem.New(problem.Unavailable, "The Docker engine did not take the image %s, although its registry gave it. The server's log says why.", ref)
}

// local reports whether an image was made or loaded on this machine by who runs it, and neither came from a registry nor was made for
// a workspace.
func (r *Runtime) local(ctx context.Context, im engineimage.InspectResponse) (bool, error) {
	if builtKey(im) != "" || slices.ContainsFunc(im.RepoTags, func(name string) bool { return strings.HasPrefix(name, loadedPrefix) }) {
		return false, nil
	}
	if len(im.RepoDigests) == 0 {
		return true, nil
	}
	m, err := r.machineOf(ctx)
	if err != nil || !m.snapshots {
		return false, err
	}
	pulled, err := r.wasPulled(ctx, im)
	return !pulled && err == nil, err
}

// forgetLayers forgets which layers came from where when nobody has wanted them in keepUnused, and removes what a server that died
// left on its way.
func (r *Runtime) forgetLayers(now time.Time) {
	notes, _ := filepath.Glob(filepath.Join(r.root, "layers", "*", "*")) // the pattern is well-formed
	folders, _ := filepath.Glob(filepath.Join(r.root, "layers", "*"))
	for _, path := range append(notes, folders...) {
		info, err := os.Stat(path)
		if err != nil || now.Sub(info.ModTime()) < keepUnused {
			continue
		}
		if err := os.Remove(path); err != nil && !info.IsDir() { // a folder that still holds something stays
			r.log.Warn("docker: that a layer was fetched could not be forgotten", "err", err)
		}
	}
}
