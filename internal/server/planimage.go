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
	"strings"

	"github.com/lanyardhq/lanyard/internal/gateway/gitread"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// image makes ready what the workspace's files come from. Where neither the repository nor the project names an image it
// is the runtime's own, and there is nothing to do.
func (x *preparing) image(ctx context.Context) error {
	want, from := x.said.Plan.Image, "the repository"
	if want.Ref == "" && want.Dockerfile == "" {
		want.Ref, from = x.project().Workspace.Image, "the project"
	}
	if want.Ref == "" && want.Dockerfile == "" {
		return nil
	}
	images, ok := x.runtime.(workspace.Images)
	if !ok {
		return problem.New(problem.Unavailable, "%s wants an image, and the runtime %q of this server runs none. Start without the file (`lanyard start --file none`), or on a server with Docker.",
			strings.ToUpper(from[:1])+from[1:], x.runtime.Name())
	}
	x.say(workspace.Building, "")
	var err error
	if want.Dockerfile != "" {
		x.say("", "Building the image of "+want.Dockerfile+".")
		if x.ready, err = x.build(ctx, images); err != nil {
			return failedStep("Building the image of "+want.Dockerfile, err)
		}
		return nil
	}
	if from == "the repository" {
		if err := x.project().Workspace.AllowsImage(want.Ref); err != nil {
			return problem.Wrap(err, problem.Denied, "%v", err)
		}
	}
	ref := want.Ref
	if pinned, _, ok := strings.Cut(x.row.Image, "@sha256:"); ok && pinned != "" && len(x.row.Said) > 0 {
		ref = x.row.Image // what it ran with before
	}
	x.say("", "Making the image "+want.Ref+" ready.")
	order := workspace.PullOrder{Ref: ref}
	if order.User, order.Password, err = x.registryCredential(ref, x.project().Name); err != nil {
		return failedStep("Getting the image "+want.Ref, err)
	}
	if x.ready, err = images.Pull(ctx, order, x.progress); err != nil {
		return failedStep("Getting the image "+want.Ref, err)
	}
	return nil
}

func (x *preparing) progress(text string) { x.say("", text) }

// outside is the name of a Dockerfile that is not in the folder that its build sees, there.
const outside = ".lanyard.Dockerfile"

// build builds the repository's Dockerfile. What the build sees names the result, so that the same content is built once,
// whoever starts it and at whatever commit.
func (x *preparing) build(ctx context.Context, images workspace.Images) (workspace.Ready, error) {
	want := x.said.Plan.Image
	c, err := x.open(ctx, x.said.Commit)
	if err != nil {
		return workspace.Ready{}, err
	}
	folder, err := c.Find(want.Context)
	if err == nil && folder.Mode != gitread.Folder {
		err = gitread.ErrAbsent
	}
	if errors.Is(err, gitread.ErrAbsent) {
		return workspace.Ready{}, problem.New(problem.Invalid, "There is no folder %q in the repository, which the build is to see.", want.Context)
	}
	if err != nil {
		return workspace.Ready{}, err
	}
	text, err := c.Read(want.Dockerfile)
	if errors.Is(err, gitread.ErrAbsent) {
		return workspace.Ready{}, problem.New(problem.Invalid, "There is no file %q in the repository.", want.Dockerfile)
	}
	if err != nil {
		return workspace.Ready{}, err
	}
	name, within := want.Dockerfile, true
	if want.Context != "" {
		name, within = strings.CutPrefix(want.Dockerfile, want.Context+"/")
	}
	if !within {
		name = outside
	}
	key, err := json.Marshal([]any{folder.ID, name, string(text), want.Target, want.Args})
	if err != nil {
		return workspace.Ready{}, err
	}
	sum := sha256.Sum256(key)
	var packed io.ReadCloser // closed with us: who packs ends then
	defer func() {
		if packed != nil {
			packed.Close()
		}
	}()
	return images.Build(ctx, workspace.BuildOrder{
		Key: hex.EncodeToString(sum[:]), Dockerfile: name, Target: want.Target, Args: want.Args,
		Context: func(context.Context) (io.ReadCloser, error) {
			r, w := io.Pipe()
			packed = r
			go func() {
				err := c.Tar(want.Context, &leading{to: w, within: within, name: name, text: text})
				w.CloseWithError(err) // nil is the end
			}()
			return r, nil
		},
		ID: x.row.ID,
		Endpoint: func(ctx context.Context, uid int) (string, error) {
			return x.hub.Listen(ctx, x.row.ID, uid)
		},
	}, x.progress)
}

// leading puts a Dockerfile from elsewhere before the tar stream that it is used with: a tar entry of its own, since one
// archive after another is read as one only up to the first one's end.
type leading struct {
	to     io.Writer
	within bool
	name   string
	text   []byte
}

// Write implements io.Writer.
func (l *leading) Write(p []byte) (int, error) {
	if !l.within {
		l.within = true
		w := tar.NewWriter(l.to)
		head := &tar.Header{Name: l.name, Mode: 0o644, Size: int64(len(l.text)), Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		if err := w.WriteHeader(head); err != nil {
			return 0, fmt.Errorf("pack the Dockerfile: %w", err)
		}
		if _, err := w.Write(l.text); err != nil {
			return 0, fmt.Errorf("pack the Dockerfile: %w", err)
		}
		if err := w.Flush(); err != nil { // without the two empty blocks of an end
			return 0, fmt.Errorf("pack the Dockerfile: %w", err)
		}
	}
	return l.to.Write(p)
}
