package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/lanyardhq/lanyard/internal/image/guard"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// Resolve asks the registry which image a name means now, and returns the name with the digest of its manifest.
func (s *Store) Resolve(ctx context.Context, o workspace.PullOrder) (string, error) {
	ref, err := ParseReference(o.Ref)
	if err != nil {
		return "", err
	}
	d, err := s.describe(ctx, ref, o.User, o.Password)
	if err != nil {
		return "", err
	}
	return ref.At(d.digest), nil
}

// Pull makes an image's files ready (workspace.Images). Several that want the same image wait for one pull.
func (s *Store) Pull(ctx context.Context, o workspace.PullOrder, progress func(string)) (workspace.Ready, error) {
	if progress == nil {
		progress = func(string) {}
	}
	ref, err := ParseReference(o.Ref)
	if err != nil {
		return workspace.Ready{}, err
	}
	progress("asking " + ref.Host() + " for " + ref.Repository())
	d, err := s.describe(ctx, ref, o.User, o.Password)
	if err != nil {
		if kept, ok := s.kept(ref); ok && o.Again && silent(err) {
			progress(ref.Host() + " does not answer; the image is kept here")
			return s.ready(ref.String(), kept)
		}
		return workspace.Ready{}, err
	}
	folder, err := s.folder(ref, d.digest)
	if err != nil {
		return workspace.Ready{}, err
	}
	s.using.RLock()
	defer s.using.RUnlock()
	if !s.touch(folder) {
		err := s.once(ctx, ref.At(d.digest), progress, func(ctx context.Context, say func(string)) error {
			if s.touch(folder) { // somebody was just done
				return nil
			}
			ctx, leave, err := s.slots.Take(ctx, o.For, ref.String(), say)
			if err != nil {
				return err
			}
			defer leave()
			return s.make(ctx, ref, d, folder, say)
		})
		if err != nil {
			return workspace.Ready{}, err
		}
	}
	return s.ready(ref.At(d.digest), folder)
}

// silent reports whether a registry gave no answer that means anything.
func silent(err error) bool {
	k := problem.KindOf(err)
	return k == problem.BadUpstream || k == problem.SlowUpstream || k == problem.Unavailable
}

// kept is where an image is that is named by its digest; false if it is not here.
func (s *Store) kept(ref Reference) (string, bool) {
	s.using.RLock()
	defer s.using.RUnlock()
	folder, err := s.folder(ref, ref.ref.Identifier())
	return folder, err == nil && s.touch(folder)
}

// touch notes that an image is used; false if it is not here.
func (s *Store) touch(folder string) bool {
	now := s.now()
	return os.Chtimes(folder, now, now) == nil
}

// make fetches the layers and unpacks them one over the other.
func (s *Store) make(ctx context.Context, ref Reference, d described, folder string, say func(string)) error {
	puller, err := remote.NewPuller(d.options...)
	if err != nil {
		return explain(ref, err)
	}
	var blobs []string
	layers := d.manifest.Layers
	for i, l := range layers {
		err := s.once(ctx, ref.At(l.Digest.String()), func(string) {}, func(ctx context.Context, _ func(string)) error {
			say(layerName(i, len(layers), l.Size))
			return s.fetch(ctx, puller, ref, l)
		})
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return explain(ref, explainDisk(err))
		}
		blobs = append(blobs, s.blob(ref, l.Digest))
	}
	fresh, err := os.MkdirTemp(filepath.Join(s.dir, "tmp"), "files-")
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	defer func() { _ = removeAll(fresh) }() // nothing is there when all went well
	say(fmt.Sprintf("unpacking %s", ref.Repository()))
	if err := s.unpackAll(ctx, filepath.Join(fresh, "root"), blobs, d.config.RootFS.DiffIDs); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return unpackError(ref, explainDisk(err))
	}
	b, err := json.Marshal(d.config.Config)
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	if err := os.WriteFile(filepath.Join(fresh, "config"), b, 0o600); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	if err := os.Rename(fresh, folder); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("image: %w", err)
	}
	s.touch(folder)
	s.log.Info("image unpacked", "image", ref.At(d.digest))
	return nil
}

func (s *Store) unpackAll(ctx context.Context, root string, blobs []string, ids []v1.Hash) error {
	u, err := newUnpacker(root, s.bounds)
	if err != nil {
		return err
	}
	defer u.close()
	for i, blob := range blobs {
		if err := u.layer(ctx, blob, ids[i]); err != nil {
			return fmt.Errorf("layer %d: %w", i+1, err)
		}
	}
	return u.finish()
}

func unpackError(ref Reference, err error) error {
	var p *problem.Error
	if errors.As(err, &p) {
		return err
	}
	return problem.Wrap(err, problem.Invalid, "The image %s cannot be unpacked: %v.", ref, err)
}

func explainDisk(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return problem.Wrap(err, problem.Unavailable, "The disk for images is full; an administrator has to make room in the data folder.")
	}
	return err
}

// fetch fetches a layer unless it is here; what does not have its digest is never kept.
func (s *Store) fetch(ctx context.Context, p *remote.Puller, ref Reference, l v1.Descriptor) error {
	final := s.blob(ref, l.Digest)
	if s.touch(final) {
		return nil
	}
	if err := fetchTo(ctx, p, ref, l, filepath.Join(s.dir, "tmp"), final); err != nil {
		return err
	}
	s.touch(final)
	return nil
}

// fetchTo fetches a layer to final; what does not have its digest never gets there. In dir lies what is on its way.
func fetchTo(ctx context.Context, p *remote.Puller, ref Reference, l v1.Descriptor, dir, final string) error {
	name := ref.ref.Context().Digest(l.Digest.String())
	layer, err := p.Layer(guard.Layer(ctx, name), name)
	if err != nil {
		return err
	}
	var broken error
	for range 3 { // connections break; a server that goes on sending the wrong bytes is believed no fourth time
		if broken = fetchOnce(ctx, layer, dir, final, l); broken == nil || ctx.Err() != nil || !again(broken) {
			return broken
		}
	}
	return broken
}

// again reports whether a failed fetch may go better at once: the answer broke off or was not what was asked for.
func again(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, errWrongBytes)
}

var errWrongBytes = errors.New("the registry sent other bytes than the manifest names")

func fetchOnce(ctx context.Context, layer v1.Layer, dir, final string, l v1.Descriptor) error {
	body, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer body.Close()
	defer context.AfterFunc(ctx, func() { _ = body.Close() })()
	f, err := os.CreateTemp(dir, "blob-")
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	defer os.Remove(f.Name())
	digest := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, digest), io.LimitReader(body, l.Size+1))
	if e := f.Close(); err == nil {
		err = e
	}
	switch {
	case err != nil && strings.HasPrefix(err.Error(), "error verifying"): // go-containerregistry looks as well
		return fmt.Errorf("%w: %w", errWrongBytes, err)
	case err != nil:
		return err
	case n != l.Size || !sameHash(digest, l.Digest):
		return errWrongBytes
	}
	if err := os.Rename(f.Name(), final); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	return nil
}

func sameHash(h hash.Hash, want v1.Hash) bool {
	return want.Algorithm == "sha256" && hex.EncodeToString(h.Sum(nil)) == want.Hex
}

// ready reads what an unpacked image says of itself.
func (s *Store) ready(ref, folder string) (workspace.Ready, error) {
	b, err := os.ReadFile(filepath.Join(folder, "config"))
	if err != nil {
		return workspace.Ready{}, fmt.Errorf("image: %w", err)
	}
	var c v1.Config
	if err := json.Unmarshal(b, &c); err != nil {
		return workspace.Ready{}, fmt.Errorf("image: %s: %w", folder, err)
	}
	env := make(map[string]string, len(c.Env))
	for _, line := range c.Env {
		if k, v, ok := strings.Cut(line, "="); ok && k != "" && !strings.ContainsRune(line, 0) {
			env[k] = v
		}
	}
	return workspace.Ready{
		Image: workspace.Image{Ref: ref, Path: filepath.Join(folder, "root")},
		User:  c.User, Env: env, Metadata: c.Labels["devcontainer.metadata"],
		Users: userNames(filepath.Join(folder, "root")),
	}, nil
}
