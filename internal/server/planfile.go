package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/lanyardhq/lanyard/internal/devfile"
	"github.com/lanyardhq/lanyard/internal/gateway/gitread"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/source"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// files are those of the commit that a workspace begins with.
type files = gitread.Commit

// read learns what the repository says: what was remembered of the first start, or its file.
func (x *preparing) read(ctx context.Context) error {
	if x.again() {
		if err := json.Unmarshal(x.row.Said, &x.said); err != nil {
			return fmt.Errorf("read what was remembered of the first start: %w", err)
		}
		return nil
	}
	x.say(workspace.Preparing, "Reading what "+strings.TrimPrefix(x.row.Repository, "https://")+" says of its workspace.")
	c, err := x.open(ctx, x.row.Ref)
	if errors.Is(err, gitread.ErrCannot) { // an old server: the project says what the workspace is
		x.say("", "The repository's own file is not read: "+err.Error()+".")
		return nil
	}
	if err != nil {
		return failedStep("Reading the repository", err)
	}
	x.said.Commit, x.said.Ref = c.ID, c.Ref
	if x.row.Wanted == workspace.NoFile {
		x.say("", "The repository's own file has no effect, as was wished.")
		return nil
	}
	paths, err := candidates(c)
	if err != nil {
		return failedStep("Reading the repository", err)
	}
	choice, err := devfile.Choose(paths, x.row.Wanted)
	if err != nil {
		return failedStep("Choosing the file", err)
	}
	x.said.Also = choice.Also
	if choice.File == "" {
		x.say("", "The repository says nothing of its workspace: neither .gitpod.yml nor devcontainer.json is there.")
		return nil
	}
	text, err := c.Read(choice.File)
	if errors.Is(err, gitread.ErrAbsent) { // it is listed, so it is something else
		return problem.New(problem.Invalid, "%s is no file: no symbolic link is followed, and no submodule is looked into.\nThe workspace was not started. Put the file itself there, or start without it: `lanyard start --file none`.", choice.File)
	}
	if err != nil {
		return wrong(choice.File, err)
	}
	plan, err := devfile.Parse(choice.File, text, x.about)
	if err != nil {
		return wrong(choice.File, err)
	}
	x.said.Plan = *plan
	line := "Using " + choice.File
	if len(choice.Also) > 0 {
		line += "; " + strings.Join(choice.Also, ", ") + " has no effect"
	}
	x.say("", line+".")
	for _, n := range plan.Notes {
		x.say("", fmt.Sprintf("%s:%d: %s: %s", choice.File, n.At.Line, n.Key, n.Text))
	}
	return nil
}

// again reports whether the workspace ran before. Until it did, its file is read anew: what keeps it from starting may have
// been mended.
func (x *preparing) again() bool { return len(x.row.Said) > 0 && !x.row.Began.IsZero() }

// open opens a commit of the repository, once.
func (x *preparing) open(ctx context.Context, ref string) (*files, error) {
	if x.files != nil {
		return x.files, nil
	}
	c, err := gitread.New(gitread.Config{Access: x.engine, Facts: x.engine.Facts, Upstream: x.upstream, Log: x.log}).
		Open(ctx, gitread.Order{Principal: x.who, Repository: x.row.Repository, Ref: ref, PreferBranch: x.row.Request != 0, Why: "the start of workspace " + string(x.row.ID)})
	if err == nil {
		x.files = c
	}
	return c, err
}

// candidates are the paths of a commit that may be a file of ours. Only folders are looked into that may hold one.
func candidates(c *files) (paths []string, err error) {
	top, err := c.List("")
	if err != nil {
		return nil, err
	}
	for _, e := range top {
		if e.Name != devfile.Folder || e.Mode != gitread.Folder {
			paths = append(paths, e.Name)
			continue
		}
		inside, err := c.List(devfile.Folder)
		if err != nil {
			return nil, err
		}
		for _, e := range inside {
			at := path.Join(devfile.Folder, e.Name)
			if e.Mode != gitread.Folder {
				paths = append(paths, at)
			} else if _, err := c.Find(path.Join(at, "devcontainer.json")); err == nil {
				paths = append(paths, path.Join(at, "devcontainer.json"))
			} else if !errors.Is(err, gitread.ErrAbsent) {
				return nil, err
			}
		}
	}
	return paths, nil
}

// maxFindings is how many of the things that are wrong with a file are told at once.
const maxFindings = 10

// wrong says what is wrong with a repository's file, and how to get on.
func wrong(file string, err error) error {
	findings, ok := errors.AsType[source.Findings](err)
	if !ok && problem.KindOf(err) == problem.Invalid {
		return problem.Wrap(err, problem.Invalid, "%s\nThe workspace was not started. Mend the file, or start without it: `lanyard start --file none`.", problem.Message(err))
	}
	if !ok {
		return failedStep("Reading "+file, err)
	}
	shown := findings[:min(len(findings), maxFindings)]
	text := shown.Error()
	if more := len(findings) - len(shown); more > 0 {
		text += fmt.Sprintf("\nand %d more", more)
	}
	return problem.Wrap(err, problem.Invalid, "%s\nThe workspace was not started. Mend the file, or start without it: `lanyard start --file none`.", text)
}
