package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// ignoreName is the file that says what a build does not see; beside a Dockerfile, its name with this after it goes before it
// (https://docs.docker.com/build/concepts/context/#dockerignore-files).
const ignoreName = ".dockerignore"

// Bounds of such a file: the name of every file of the context is compared with each of its lines, which takes the longer the more
// wildcards a line has.
const (
	maxIgnore        = 64 << 10 // bytes
	maxPatterns      = 500
	maxPattern       = 1 << 10 // bytes of a line
	maxWildcards     = 32      // of a line
	maxWildcardsHere = 2000    // of the file
	maxName          = 4 << 10 // bytes of a path in the context, as in Linux's PATH_MAX
	keptFolders      = 10_000
)

// ignored says what of a context a build does not see.
type ignored struct {
	patterns *patternmatcher.PatternMatcher      // nil: it sees all
	folders  map[string]patternmatcher.MatchInfo // what is known of them, which saves comparing again
}

// readIgnored takes from the files that were read the one that counts for a Dockerfile.
func readIgnored(dockerfile string, files map[string][]byte) (ignored, error) {
	name := path.Clean(dockerfile) + ignoreName
	text, ok := files[name]
	if !ok {
		name = ignoreName
		text = files[name]
	}
	if err := boundIgnored(name, text); err != nil {
		return ignored{}, err
	}
	lines, err := ignorefile.ReadAll(bytes.NewReader(text))
	if err == nil && len(lines) > maxPatterns {
		err = fmt.Errorf("it has %d patterns and may have %d", len(lines), maxPatterns)
	}
	i := ignored{folders: map[string]patternmatcher.MatchInfo{}}
	if err == nil && len(lines) > 0 {
		i.patterns, err = patternmatcher.New(lines)
	}
	if err != nil {
		return ignored{}, problem.New(problem.Invalid, "%s cannot be read: %v.", name, err)
	}
	return i, nil
}

// boundIgnored refuses what would take long to compare with.
func boundIgnored(name string, text []byte) error {
	if len(text) > maxIgnore {
		return problem.New(problem.Invalid, "%s has %d bytes and may have %d.", name, len(text), maxIgnore)
	}
	all, n := 0, 0
	for line := range bytes.Lines(text) {
		n++
		line = bytes.TrimSpace(line)
		if bytes.HasPrefix(line, []byte("#")) {
			continue
		}
		wild := 0
		for _, c := range []string{"*", "?", "["} {
			wild += bytes.Count(line, []byte(c))
		}
		all += wild
		switch {
		case len(line) > maxPattern:
			return problem.New(problem.Invalid, "%s:%d: the line has %d bytes and may have %d.", name, n, len(line), maxPattern)
		case wild > maxWildcards:
			return problem.New(problem.Invalid, "%s:%d: the line has %d wildcards and may have %d.", name, n, wild, maxWildcards)
		case all > maxWildcardsHere:
			return problem.New(problem.Invalid, "%s:%d: with this line the file has more than %d wildcards.", name, n, maxWildcardsHere)
		}
	}
	return nil
}

// has reports whether a file or folder is left out. What is in a folder that is left out is so as well, unless a later line with !
// takes it in again.
func (i ignored) has(name string) (bool, error) {
	out, _, err := i.compare(name)
	return out, err
}

func (i ignored) compare(name string) (out bool, info patternmatcher.MatchInfo, err error) {
	var above patternmatcher.MatchInfo
	if dir := path.Dir(name); dir != "." && dir != "/" {
		known := false
		if above, known = i.folders[dir]; !known {
			if _, above, err = i.compare(dir); err != nil {
				return false, info, err
			}
			if len(i.folders) >= keptFolders {
				clear(i.folders)
			}
			i.folders[dir] = above
		}
	}
	if out, info, err = i.patterns.MatchesUsingParentResults(name, above); err != nil {
		return false, info, problem.New(problem.Invalid, "%s holds a pattern that cannot be read: %v.", ignoreName, err)
	}
	return out, info, nil
}

// without leaves out of a context what is ignored.
func (i ignored) without(ctx context.Context, stream io.ReadCloser) io.ReadCloser {
	if i.patterns == nil {
		return stream
	}
	out, in := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		in.CloseWithError(i.copy(ctx, in, stream)) // nil: the end
	}()
	stop := context.AfterFunc(ctx, func() { out.CloseWithError(context.Cause(ctx)) })
	return filtered{out, func() error {
		stop()
		out.Close() // never fails
		<-done
		return stream.Close()
	}}
}

type filtered struct {
	io.Reader
	close func() error
}

func (f filtered) Close() error { return f.close() }

func (i ignored) copy(ctx context.Context, to io.Writer, from io.Reader) error {
	r, w := tar.NewReader(from), tar.NewWriter(to)
	for {
		if ctx.Err() != nil { // what is left out writes nothing, so nothing else would end this
			return context.Cause(ctx)
		}
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return w.Close()
		}
		if err != nil {
			return fmt.Errorf("docker: the build's context: %w", err)
		}
		if len(h.Name) > maxName {
			return problem.New(problem.Invalid, "The build's context holds a path of %d bytes; it may have %d.", len(h.Name), maxName)
		}
		name := path.Clean(strings.TrimPrefix(h.Name, "/"))
		if name != "." {
			out, err := i.has(name)
			if err != nil {
				return err
			}
			if out {
				continue
			}
		}
		if err := w.WriteHeader(h); err != nil {
			return fmt.Errorf("docker: the build's context: %w", err)
		}
		if _, err := io.Copy(w, r); err != nil {
			return fmt.Errorf("docker: the build's context: %w", err)
		}
	}
}

// readFiles takes the Dockerfile, and what says what it does not see, out of the context. The Dockerfile is there.
func readFiles(ctx context.Context, o workspace.BuildOrder) (map[string][]byte, error) {
	stream, err := o.Context(ctx)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	own := path.Clean(o.Dockerfile)
	found := map[string][]byte{}
	for t := tar.NewReader(stream); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("docker: the build's context: %w", err)
		}
		name := path.Clean(h.Name)
		if h.Typeflag != tar.TypeReg || name != own && name != ignoreName && name != own+ignoreName {
			continue
		}
		if h.Size > maxDockerfile {
			return nil, problem.New(problem.Invalid, "%s has %d bytes and may have %d.", name, h.Size, maxDockerfile)
		}
		if found[name], err = io.ReadAll(t); err != nil {
			return nil, fmt.Errorf("docker: the build's context: %w", err)
		}
	}
	if _, ok := found[own]; !ok {
		return nil, problem.New(problem.Invalid, "There is no file %s for the image.", o.Dockerfile)
	}
	return found, nil
}
