package server

import (
	"context"
	"time"

	"github.com/lanyardhq/lanyard/internal/devfile"
	"github.com/lanyardhq/lanyard/internal/gateway/gitread"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// thereWithin bounds how long an order waits for a Git server; one that is slower is asked by the start itself.
const thereWithin = 5 * time.Second

// there refuses an order of what is not there: a repository that its Git server does not have, a ref, a commit, or the file
// that was asked for. Its start could not succeed however often it is tried, and would leave a workspace to delete. Whatever
// else keeps that from being read, the start meets again, and tells step by step.
func (s *Server) there(ctx context.Context, who identity.Principal, o workspace.Order) error {
	ctx, cancel := context.WithTimeout(ctx, thereWithin)
	defer cancel()
	reader := gitread.New(gitread.Config{Access: s.engine, Facts: s.engine.Facts, Upstream: s.upstream, Log: s.log})
	order := gitread.Order{Principal: who, Repository: o.Repository, Ref: o.Ref, Why: "what a workspace is to begin with"}
	var err error
	if o.Details.Wanted == "" || o.Details.Wanted == workspace.NoFile {
		err = reader.Check(ctx, order)
	} else {
		err = s.hasFile(ctx, reader, order, o.Details.Wanted)
	}
	if err == nil || problem.KindOf(err) != problem.NotFound {
		return nil
	}
	return problem.Wrap(err, problem.NotFound, "%s No workspace was made.", problem.Message(err))
}

// hasFile is NotFound where a commit has no file of the name that was asked for.
func (s *Server) hasFile(ctx context.Context, reader *gitread.Reader, order gitread.Order, wanted string) error {
	c, err := reader.Open(ctx, order)
	if err != nil {
		return err
	}
	defer c.Close()
	paths, err := candidates(c)
	if err != nil {
		return err
	}
	_, err = devfile.Choose(paths, wanted)
	return err
}
