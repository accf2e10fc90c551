package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/docker/docker/api/types/build"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// maxDockerfile bounds a Dockerfile, in bytes; builtLines what is kept of what a build says, for its error.
const (
	maxDockerfile = 1 << 20
	builtLines    = 40
)

// longestBuild is how long an image may be built, from its context's first byte; defaultMemory what a step may have where no class says it.
const (
	longestBuild  = time.Hour
	defaultMemory = 4 << 30
	cpuPeriod     = 100_000 // microseconds
)

// Build implements workspace.Images by the engine's own builder. RUN steps have no network but the loopback of a small container,
// whose process 1 is the agent with the workspace's socket: what they reach is what the workspace reaches.
func (r *Runtime) Build(ctx context.Context, o workspace.BuildOrder, progress func(string)) (workspace.Ready, error) {
	if progress == nil {
		progress = func(string) {}
	}
	server, err := r.server()
	if err != nil {
		return workspace.Ready{}, err
	}
	uses, err := r.basesOf(ctx, o)
	if err != nil {
		return workspace.Ready{}, err
	}
	bases := make([]string, len(uses))
	for i, u := range uses {
		if bases[i], err = r.base(ctx, o, u, progress); err != nil {
			return workspace.Ready{}, err
		}
	}
	key := sumOf(append([]string{o.Key}, bases...)...)
	tag := builtPrefix + strings.ToLower(server) + ":" + key[:40]
	here, err := r.engine.ImageInspect(ctx, tag)
	if notFound(err) {
		if err = r.once(ctx, tag, func(ctx context.Context) error { return r.build(ctx, o, bases, tag, key, progress) }); err != nil {
			return workspace.Ready{}, err
		}
		here, err = r.engine.ImageInspect(ctx, tag)
	}
	if err != nil {
		return workspace.Ready{}, r.failed("look for what was built", err)
	}
	r.used(here.ID)
	return r.ready(ctx, here, here.ID)
}

// sumOf names a list of texts.
func sumOf(texts ...string) string {
	h := sha256.New()
	for _, text := range texts {
		fmt.Fprintf(h, "%d:%s", len(text), text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (r *Runtime) build(ctx context.Context, o workspace.BuildOrder, bases []string, tag, key string, progress func(string)) error {
	if _, err := r.engine.ImageInspect(ctx, tag); err == nil {
		return nil // somebody was faster
	}
	bounded, cancel := context.WithTimeoutCause(ctx, longestBuild, problem.New(problem.Invalid, "Building the image of %s took longer than %s.", o.Dockerfile, longestBuild))
	defer cancel()
	d, not, err := readBuild(bounded, o)
	if err != nil {
		return err
	}
	if len(d.uses) != len(bases) {
		return fmt.Errorf("docker: the build of %s names other images than it did", o.Dockerfile)
	}
	exit, err := r.openExit(ctx, o)
	if err != nil {
		return err
	}
	defer exit.close(ctx)
	if err := r.run(bounded, o, d.pin(bases), not, tag, key, exit.id, progress); err != nil {
		return err
	}
	im, err := r.engine.ImageInspect(ctx, tag)
	if err != nil {
		return r.failed("look for what was built", err)
	}
	r.made(im.ID)
	return nil
}

// base makes ready an image that a Dockerfile names.
func (r *Runtime) base(ctx context.Context, o workspace.BuildOrder, u use, progress func(string)) (string, error) {
	d := &dockerfile{name: o.Dockerfile}
	ref := u.Image
	if ref != o.Base || ref == "" {
		order, err := workspace.PullOrder{Ref: u.Image}, error(nil)
		if o.From != nil {
			order, err = o.From(u.Image)
		}
		var ready workspace.Ready
		if err == nil {
			ready, err = r.Pull(ctx, order, progress)
		}
		if err != nil {
			return "", problem.Wrap(err, problem.KindOf(err), "%s:%d: %s", d.name, u.Line+1, problem.Message(err))
		}
		ref = ready.Image.Ref
	}
	im, err := r.inspect(ctx, ref)
	if err != nil {
		return "", r.failed("look for the image "+u.Image, err)
	}
	if im.Config != nil && len(im.Config.OnBuild) > 0 { // a Dockerfile of somebody else's, which nobody has read
		return "", d.refuse(u.Line, "the image %s has ONBUILD instructions, which could fetch something past the gateway: write them into the Dockerfile, and begin with an image that has none", u.Image)
	}
	return im.ID, nil
}

// run has the engine build.
func (r *Runtime) run(ctx context.Context, o workspace.BuildOrder, text []byte, not ignored, tag, key, exit string, progress func(string)) (err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	name := ".lanyard-" + rand.Text() // that no file of the repository can have
	sees, err := contextWith(ctx, o, not, name, text)
	if err != nil {
		return err
	}
	defer sees.Close()
	args := map[string]*string{}
	for k, v := range o.Args {
		args[k] = &v
	}
	proxy, none := "http://127.0.0.1:7070", "localhost,127.0.0.1,::1"
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} { // known to every Dockerfile, and in no image's history
		args[name] = &proxy
	}
	args["NO_PROXY"], args["no_proxy"] = &none, &none
	server, err := r.server()
	if err != nil {
		return err
	}
	if o.Limits.Memory <= 0 {
		o.Limits.Memory = defaultMemory
	}
	limits, err := r.resources(ctx, o.Limits)
	if err != nil {
		return err
	}
	if o.Limits.Processes <= 0 {
		o.Limits.Processes = defaultProcesses
	}
	b := r.begin(o.Dockerfile, stop)
	defer b.close(ctx, &err)
	defer r.boundSteps(ctx, exit, o.Limits.Processes, b, stop)()
	progress("building the image of " + o.Dockerfile)
	answer, err := r.engine.ImageBuild(ctx, sees, build.ImageBuildOptions{
		Memory: limits.Memory, MemorySwap: limits.MemorySwap, CPUPeriod: cpuPeriod, CPUQuota: limits.NanoCPUs / (1e9 / cpuPeriod),
		Version: build.BuilderV1, Tags: []string{tag}, Dockerfile: name, Target: o.Target, BuildArgs: args, Platform: platform(),
		NetworkMode: "container:" + exit, Remove: true, ForceRemove: true, ShmSize: shmBytes,
		NoCache: true, // a step of somebody else's may have seen what only they may see
		Labels:  map[string]string{labelServer: server, labelBuilt: key},
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return problem.Wrap(err, problem.Invalid, "The image of %s could not be built: %s", o.Dockerfile, plain(err))
	}
	defer answer.Body.Close()
	var last []string
	err = follow(answer.Body, func(m message) {
		for line := range strings.SplitSeq(strings.TrimRight(m.Stream, "\r\n"), "\n") {
			if line = strings.TrimRight(line, "\r "); line == "" {
				continue
			}
			if last = append(last, line); len(last) > builtLines {
				last = last[1:]
			}
			b.says(line)
			progress(line)
		}
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return problem.Wrap(err, problem.Invalid, "The image of %s could not be built: %s\n%s", o.Dockerfile, plain(err), strings.Join(last, "\n"))
	}
	return nil
}

// readBuild reads what an order's Dockerfile says, and what its build does not see.
func readBuild(ctx context.Context, o workspace.BuildOrder) (*dockerfile, ignored, error) {
	files, err := readFiles(ctx, o)
	if err != nil {
		return nil, ignored{}, err
	}
	not, err := readIgnored(o.Dockerfile, files)
	if err != nil {
		return nil, ignored{}, err
	}
	d, err := parseDockerfile(o.Dockerfile, files[path.Clean(o.Dockerfile)], o.Args)
	return d, not, err
}

// contextWith is what the build sees of its context, with a Dockerfile of our own in it.
func contextWith(ctx context.Context, o workspace.BuildOrder, not ignored, name string, text []byte) (io.ReadCloser, error) {
	stream, err := o.Context(ctx)
	if err != nil {
		return nil, err
	}
	stream = not.without(ctx, stream)
	var head bytes.Buffer
	t := tar.NewWriter(&head)
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(text)), Format: tar.FormatPAX}); err != nil {
		return nil, errors.Join(fmt.Errorf("docker: the build's context: %w", err), stream.Close())
	}
	if _, err := t.Write(text); err != nil {
		return nil, errors.Join(fmt.Errorf("docker: the build's context: %w", err), stream.Close())
	}
	if err := t.Flush(); err != nil { // no end: the rest follows
		return nil, errors.Join(fmt.Errorf("docker: the build's context: %w", err), stream.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(&head, stream), stream}, nil
}
