package docker

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	engineimage "github.com/docker/docker/api/types/image"
)

// keepUnused is how long an image that was pulled or built for workspaces stays when none has used it.
const keepUnused = 14 * 24 * time.Hour

// collectEvery is how often images are looked through.
const collectEvery = time.Hour

// usedFile notes, by its time, when an image was last asked for. Images without it are others' and stay.
const usedFile = "used"

func (r *Runtime) imageFolder(id string) string {
	_, hash, _ := strings.Cut(id, ":")
	return filepath.Join(r.root, "images", hash)
}

// made notes that an image was pulled or built here, and was not on the machine before: only those are ever removed.
func (r *Runtime) made(id string) {
	dir := r.imageFolder(id)
	err := makeFolders(dir)
	if err == nil {
		err = replaceFile(filepath.Join(dir, usedFile), nil, 0o600)
	}
	if err != nil {
		r.log.Warn("docker: that an image was made here could not be noted", "image", id, "err", err)
	}
}

// used notes that an image is asked for now, if it was pulled or built here.
func (r *Runtime) used(id string) {
	now := time.Now()
	if err := os.Chtimes(filepath.Join(r.imageFolder(id), usedFile), now, now); err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.log.Warn("docker: the use of an image could not be noted", "image", id, "err", err)
	}
}

// collect removes images that were pulled or built here and that nobody has asked for in keepUnused, by the names that they were given
// here alone: one that has others stays with those. The engine refuses where a container, running or not, has the image: then it stays.
func (r *Runtime) collect(ctx context.Context, now time.Time) {
	r.forgetBases(now)
	r.forgetLayers(now)
	known, err := os.ReadDir(filepath.Join(r.root, "images"))
	if err != nil {
		return // nothing was ever noted
	}
	for _, e := range known {
		info, err := os.Stat(filepath.Join(r.root, "images", e.Name(), usedFile))
		if err != nil || now.Sub(info.ModTime()) < keepUnused {
			continue
		}
		id := "sha256:" + e.Name()
		im, err := r.engine.ImageInspect(ctx, id)
		if err == nil {
			for _, name := range append(im.RepoTags, im.RepoDigests...) {
				if !strings.HasPrefix(name, loadedPrefix) && !strings.HasPrefix(name, builtPrefix) {
					continue // the machine's operator gave it that name, and has the image by it
				}
				_, err = r.engine.ImageRemove(ctx, name, engineimage.RemoveOptions{PruneChildren: true})
				if err != nil && !notFound(err) {
					break
				}
			}
		}
		if err != nil && !notFound(err) {
			r.log.Info("docker: an image stays", "image", id, "why", plain(err))
			continue
		}
		if err := os.RemoveAll(filepath.Join(r.root, "images", e.Name())); err != nil {
			r.log.Warn("docker: what is known of an image could not be removed", "image", id, "err", err)
		}
	}
}
