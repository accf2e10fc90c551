package server

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"

	"github.com/lanyardhq/lanyard/internal/gateway/gitread"
	"github.com/lanyardhq/lanyard/internal/image/feature"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// outside is the name of a Dockerfile that is not in the folder that its build sees, there.
const outside = ".lanyard.Dockerfile"

// ignoreSuffix follows the name of a Dockerfile in that of the file which says what its build does not see.
const ignoreSuffix = ".dockerignore"

// build builds the repository's Dockerfile. What the build sees names the result, so that the same content is built once
// for a person in a project, at whatever commit; the name is remembered, so that a later start asks nobody for it.
func (x *preparing) build(ctx context.Context, images workspace.Images) (workspace.Ready, error) {
	want := x.said.Plan.Image
	name, within := want.Dockerfile, true
	if want.Context != "" {
		name, within = strings.CutPrefix(want.Dockerfile, want.Context+"/")
	}
	if !within {
		name = outside
	}
	if x.said.Built == "" {
		if err := x.nameBuild(ctx, name); err != nil {
			return workspace.Ready{}, err
		}
	}
	room := x.folders.hold()
	defer room.leave()
	load := sync.OnceValues(func() (*gitread.Whole, error) {
		if err := room.take(ctx); err != nil {
			return nil, err
		}
		c, err := x.open(ctx, x.said.Commit)
		if err != nil {
			return nil, err
		}
		return c.Whole(want.Context)
	})
	return x.runBuild(ctx, images, workspace.BuildOrder{
		Key: x.said.Built, Dockerfile: name, Target: want.Target, Args: want.Args,
		Context: func(context.Context) (io.ReadCloser, error) {
			whole, err := load()
			if err != nil || within {
				return stream(whole, err)
			}
			text, err := x.files.Read(want.Dockerfile)
			if err != nil {
				return nil, err
			}
			rest, err := led(name, text, whole.Stream())
			if err != nil {
				return nil, err
			}
			ignore, err := x.files.Read(want.Dockerfile + ignoreSuffix)
			if errors.Is(err, gitread.ErrAbsent) {
				return rest, nil
			}
			if err != nil {
				return nil, errors.Join(err, rest.Close())
			}
			return led(name+ignoreSuffix, ignore, rest)
		},
	})
}

func stream(whole *gitread.Whole, err error) (io.ReadCloser, error) {
	if err != nil {
		return nil, err
	}
	return whole.Stream(), nil
}

// nameBuild makes the name of what will be built from the content that the build sees. runBuild adds for whom.
func (x *preparing) nameBuild(ctx context.Context, name string) error {
	want := x.said.Plan.Image
	c, err := x.open(ctx, x.said.Commit)
	if err != nil {
		return err
	}
	folder, err := c.Find(want.Context)
	if err == nil && folder.Mode != gitread.Folder {
		err = gitread.ErrAbsent
	}
	if errors.Is(err, gitread.ErrAbsent) {
		return problem.New(problem.Invalid, "There is no folder %q in the repository, which the build is to see.", want.Context)
	}
	if err != nil {
		return err
	}
	text, err := c.Read(want.Dockerfile)
	if errors.Is(err, gitread.ErrAbsent) {
		return problem.New(problem.Invalid, "There is no file %q in the repository.", want.Dockerfile)
	}
	if err != nil {
		return err
	}
	named := []any{folder.ID, name, string(text), want.Target, want.Args}
	if name == outside { // of which the folder has nothing
		ignore, err := c.Read(want.Dockerfile + ignoreSuffix)
		if err != nil && !errors.Is(err, gitread.ErrAbsent) {
			return err
		}
		named = append(named, string(ignore))
	}
	key, err := json.Marshal(named)
	if err != nil {
		return fmt.Errorf("name what is built: %w", err)
	}
	sum := sha256.Sum256(key)
	x.said.Built = "dockerfile-" + hex.EncodeToString(sum[:])
	return nil
}

// runBuild builds what an order says, with what holds for every build of this workspace: its exit, and the images it may begin
// with. Where the exit was opened it is closed again: the workspace itself may run as another user.
func (x *preparing) runBuild(ctx context.Context, images workspace.Images, o workspace.BuildOrder) (workspace.Ready, error) {
	class, err := x.class(x.row)
	if err != nil {
		return workspace.Ready{}, err
	}
	o.Limits = class.Limits
	// What a step saw through the gateway is for who has the same rights.
	key, err := json.Marshal([]any{x.row.Project, x.row.Owner, o.Key})
	if err != nil {
		return workspace.Ready{}, fmt.Errorf("name what is built: %w", err)
	}
	o.Key = string(key)
	opened := false
	o.ID = x.row.ID
	o.Endpoint = func(ctx context.Context, uid int) (string, error) {
		if !opened { // what was made ahead under this ID does not fit, and may be another user's
			x.hub.Close(x.row.ID)
		}
		opened = true
		return x.hub.Listen(ctx, x.row.ID, uid)
	}
	o.From = func(ref string) (workspace.PullOrder, error) { return x.pullOrder(ctx, ref, true) }
	ready, err := images.Build(ctx, o, x.progress)
	if opened {
		x.hub.Close(x.row.ID)
	}
	return ready, err
}

// addFeatures puts the features of a devcontainer.json on top of the image that is ready.
func (x *preparing) addFeatures(ctx context.Context, images workspace.Images) error {
	base := x.ready
	find := sync.OnceValues(func() (feature.Prepared, error) { return x.findFeatures(ctx, base) })
	if x.said.Features == "" {
		found, err := find()
		if err != nil {
			return err
		}
		x.said.Features, x.said.Metadata = found.Key, found.Metadata
		for _, one := range found.Installed {
			x.say("", strings.TrimSpace("Adding the feature "+one.Ref+" "+one.Version+" "+one.Digest))
		}
	}
	order := workspace.BuildOrder{
		Key: x.said.Features, Dockerfile: "Dockerfile", Base: base.Image.Ref,
		Context: func(ctx context.Context) (io.ReadCloser, error) {
			found, err := find()
			if err != nil {
				return nil, err
			}
			return found.Context(ctx)
		},
	}
	ready, err := x.runBuild(ctx, images, order)
	if err != nil {
		return err
	}
	x.ready = ready
	x.ready.Metadata = x.said.Metadata
	if x.ready.Users == nil {
		x.ready.Users = base.Users
	}
	return nil
}

// findFeatures fetches the features, by the digests of the lock file beside devcontainer.json where there is one.
func (x *preparing) findFeatures(ctx context.Context, base workspace.Ready) (feature.Prepared, error) {
	c, err := x.open(ctx, x.said.Commit)
	if err != nil {
		return feature.Prepared{}, err
	}
	plan := x.said.Plan
	lock, err := c.Read(path.Join(path.Dir(plan.File), strings.TrimSuffix(path.Base(plan.File), ".json")+"-lock.json"))
	if err != nil && !errors.Is(err, gitread.ErrAbsent) {
		return feature.Prepared{}, err
	}
	reach := x.registries()
	if t, ok := reach.Transport.(ways); ok {
		defer t.CloseIdleConnections()
	}
	plain := map[string]bool{}
	for _, host := range reach.Plain {
		plain[host] = true
	}
	installer := feature.New(feature.Config{
		Transport: reach.Transport, PlainHTTP: plain,
		Credential: func(ctx context.Context, host string) (string, string, error) {
			l, err := x.hostLogin(ctx, host)
			return l.user, l.password, err
		},
	})
	return installer.Prepare(ctx, feature.Order{
		Base: base, Features: plan.Features, First: plan.FeatureOrder, User: plan.User, Lock: lock,
		Folder: func(ctx context.Context, folder string) (io.ReadCloser, error) {
			room := x.folders.hold()
			if err := room.take(ctx); err != nil {
				return nil, err
			}
			whole, err := c.Whole(folder)
			if errors.Is(err, gitread.ErrAbsent) {
				err = problem.New(problem.NotFound, "There is no folder %q in the repository.", folder)
			}
			from, err := stream(whole, err)
			if err != nil {
				room.leave()
				return nil, err
			}
			return inRoom{from, room}, nil
		},
	}, x.progress)
}

// led is a tar stream with one more file before it.
func led(name string, text []byte, rest io.ReadCloser) (io.ReadCloser, error) {
	var first strings.Builder
	w := tar.NewWriter(&first)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg, Format: tar.FormatPAX}); err != nil {
		return nil, fmt.Errorf("pack the Dockerfile: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return nil, fmt.Errorf("pack the Dockerfile: %w", err)
	}
	if err := w.Flush(); err != nil { // not closed: the two empty blocks of an end would hide what follows
		return nil, fmt.Errorf("pack the Dockerfile: %w", err)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(first.String()), rest), rest}, nil
}
