package server

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/gateway/gitread"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/prebuild"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
)

// prebuilds makes prebuilds of the repositories whose projects want them: few at a time on a machine, as a service that reads
// that one repository, and none while a workspace waits for the room. What asks for one is a push through the gateway, a look now and then, or a maintainer.
type prebuilds struct {
	*Server
	*prebuild.Keeper
	limits prebuild.Limits
	wake   chan struct{} // has a place for each that is made at once
	pushed chan pushed

	mu      sync.Mutex
	waiting []prebuild.Row
	now     map[identity.PrebuildID]*making
	looked  map[string]time.Time // at a repository, by its URL
}

// pushed is what somebody pushed through the gateway.
type pushed struct {
	repository string
	refs       []string // whole
}

// making is one that is being made.
type making struct {
	in      identity.WorkspaceID
	who     identity.Principal
	stop    context.CancelCauseFunc
	dropped bool           // somebody deleted it meanwhile
	drops   sync.WaitGroup // who is about to
}

const (
	maxWaiting   = 100              // prebuilds that wait
	maxPushed    = 64               // pushes that are not looked at yet
	lookAtPolls  = 20 * time.Second // at most this long between two looks at whose turn it is
	sweepMade    = time.Hour
	orderWithin  = time.Minute // for finding the commit
	causePush    = "push"
	causePoll    = "poll"
	causeAgain   = "schedule"
	failedByStop = "The server was stopped while it was made. Run it again: lanyard prebuilds run"
)

// Why one that is made ends before it is.
var (
	errDropped = errors.New("it was deleted")
	errAside   = errors.New("a workspace waits for its room")
)

func (s *Server) makePrebuilds() {
	limits := s.options.Prebuilds.OrDefaults()
	b := &prebuilds{
		Server: s, limits: limits, wake: make(chan struct{}, limits.AtOnce), pushed: make(chan pushed, maxPushed),
		looked: map[string]time.Time{}, now: map[identity.PrebuildID]*making{},
	}
	b.Keeper = prebuild.New(prebuild.Config{
		Dir: filepath.Join(s.options.Data, "prebuilds"), Node: s.replica.node, Rows: s.store, Limits: limits, Log: s.log,
		Keep: func(id identity.ProjectID, repository string) int {
			if p, r, ok := s.engine.Facts().Projects.ForRepository(repository); ok && p.ID == id && r.Prebuilds != nil {
				return r.Prebuilds.Keep
			}
			return 0
		},
	})
	s.prebuilds = b
}

// Pushed notes a push. It never waits: what is lost by that, the next push or look finds.
func (b *prebuilds) Pushed(repository string, refs []string) {
	if _, r, ok := b.engine.Facts().Projects.ForRepository(repository); !ok || r.Prebuilds == nil || !r.Prebuilds.Push {
		return
	}
	select {
	case b.pushed <- pushed{repository, refs}:
	default:
	}
}

// principal is who asks through the tunnel of a workspace in which a prebuild is made.
func (b *prebuilds) principal(id identity.WorkspaceID) (identity.Principal, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range b.now {
		if one.in == id {
			return one.who, true
		}
	}
	return identity.Principal{}, false
}

// Run makes prebuilds until ctx ends.
func (b *prebuilds) Run(ctx context.Context) {
	b.recover(ctx)
	var parts sync.WaitGroup
	defer parts.Wait()
	for range b.limits.AtOnce {
		parts.Go(func() { b.work(ctx) })
	}
	poll, sweep := time.NewTicker(min(lookAtPolls, b.limits.Poll)), time.NewTicker(sweepMade)
	defer poll.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-b.pushed:
			b.lookAt(ctx, p.repository, p.refs, causePush)
		case <-poll.C:
			b.poll(ctx)
		case <-sweep.C:
			b.sweep(ctx)
		}
	}
}

func (b *prebuilds) sweep(ctx context.Context) {
	if err := b.Sweep(ctx); err != nil && ctx.Err() == nil {
		b.log.Warn("old prebuilds could not be removed; it is tried again", "error", err)
	}
}

// recover ends what an earlier process left: its workspace goes, and what waited goes on.
func (b *prebuilds) recover(ctx context.Context) {
	all, err := b.List(ctx)
	if err != nil {
		b.log.Warn("prebuilds cannot be read", "error", err)
		return
	}
	for _, r := range slices.Backward(all) { // oldest first
		switch {
		case r.Node != b.replica.node:
		case r.State == prebuild.Waiting:
			b.enqueue(r)
		case r.State == prebuild.Running:
			b.remove(ctx, r.Workspace)
			r.State, r.Message = prebuild.Failed, failedByStop
			if _, err := b.Finish(ctx, r, b.event(r, audit.Failed)); err != nil {
				b.log.Warn("a prebuild's end could not be stored", "prebuild", r.ID, "error", err)
			}
		}
	}
	b.sweep(ctx)
}

func (b *prebuilds) enqueue(r prebuild.Row) {
	b.mu.Lock()
	b.waiting = append(b.waiting, r)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// poll looks at the repositories whose turn it is. Where several replicas run, one does.
func (b *prebuilds) poll(ctx context.Context) {
	if !b.leading() {
		return
	}
	now := time.Now()
	for _, p := range b.engine.Facts().Projects.All() {
		for _, r := range p.Repositories {
			if r.Prebuilds == nil {
				continue
			}
			pace := atLeast(r.Prebuilds.Poll, b.limits.Poll)
			if every := atLeast(r.Prebuilds.Every, b.limits.Every); every > 0 && (pace == 0 || every < pace) {
				pace = every / 4 // so that one is not much older than it may be
			}
			if pace == 0 || now.Sub(b.looked[r.URL]) < pace {
				continue
			}
			b.looked[r.URL] = now
			b.lookAt(ctx, r.URL, nil, causePoll)
		}
	}
}

// atLeast is a pace that is wanted, as far as it may be; 0: none is.
func atLeast(wanted, least time.Duration) time.Duration {
	if wanted == 0 {
		return 0
	}
	return max(wanted, least)
}

// lookAt orders prebuilds of the branches of a repository that want one; refs, where given, are those to look at.
func (b *prebuilds) lookAt(ctx context.Context, repository string, refs []string, cause string) {
	ctx, cancel := context.WithTimeout(ctx, orderWithin)
	defer cancel()
	at, err := b.branches(ctx, repository)
	if err != nil {
		b.log.Warn("a repository could not be looked at for prebuilds", "repository", repository, "error", problem.Message(err))
		return
	}
	for _, ref := range slices.Sorted(maps.Keys(at.all)) {
		if !at.settings.Takes(ref, ref == at.byDefault) || len(refs) > 0 && !slices.Contains(refs, ref) {
			continue
		}
		if _, err := b.order(ctx, at, ref, cause); err != nil {
			b.log.Warn("a prebuild could not be ordered", "repository", repository, "ref", ref, "error", problem.Message(err))
		}
	}
}

// branchesOf is a repository that has prebuilds, as it is now.
type branchesOf struct {
	project   project.Project
	url       string
	settings  project.Prebuilds
	all       map[string]string // commits by whole refs
	byDefault string
}

func (b *prebuilds) branches(ctx context.Context, repository string) (at branchesOf, err error) {
	p, r, ok := b.engine.Facts().Projects.ForRepository(repository)
	if !ok {
		return at, problem.New(problem.NotFound, "There is no repository %s here.", strings.TrimPrefix(repository, "https://"))
	}
	if r.Prebuilds == nil {
		return at, problem.New(problem.Conflict, "The project %s has no prebuilds of %s made. Write `prebuilds: true` below that repository in %s.",
			p.Name, strings.TrimPrefix(r.URL, "https://"), filepath.Base(p.File))
	}
	at = branchesOf{project: p, url: r.URL, settings: *r.Prebuilds}
	reader := gitread.New(gitread.Config{Access: b.engine, Facts: b.engine.Facts, Upstream: b.upstream, Log: b.log})
	at.all, at.byDefault, err = reader.Branches(ctx, gitread.Order{Principal: prebuilder(p, r.URL), Repository: r.URL, Why: "prebuilds"})
	return at, err
}

// prebuilder is the service that makes the prebuilds of a repository.
func prebuilder(p project.Project, repository string) identity.Principal {
	return identity.Principal{Kind: identity.Service, Service: identity.PrebuildService(p.Name), Project: p.ID, Repository: repository}
}

// Order orders a prebuild of a branch, for who asks; empty is the default branch. Another one of the same commit is made.
func (b *prebuilds) Order(ctx context.Context, repository, ref, who string, event audit.Event) (prebuild.Row, error) {
	ctx, cancel := context.WithTimeout(ctx, orderWithin)
	defer cancel()
	at, err := b.branches(ctx, repository)
	if errors.Is(err, gitread.ErrCannot) {
		err = problem.Wrap(err, problem.BadUpstream, "No prebuild can be made: %v.", err)
	}
	if err != nil {
		return prebuild.Row{}, err
	}
	switch {
	case ref == "":
		ref = at.byDefault
	case !strings.HasPrefix(ref, "refs/"):
		ref = "refs/heads/" + ref
	}
	switch {
	case !strings.HasPrefix(ref, "refs/heads/"):
		return prebuild.Row{}, problem.New(problem.Denied, "Prebuilds are made of branches only, never of merge requests, tags or commits: %s is none.", ref)
	case at.all[ref] == "":
		return prebuild.Row{}, problem.New(problem.NotFound, "There is no branch %s in %s.", strings.TrimPrefix(ref, "refs/heads/"), strings.TrimPrefix(at.url, "https://"))
	case !at.settings.Takes(ref, ref == at.byDefault):
		return prebuild.Row{}, problem.New(problem.Conflict, "The project %s has no prebuilds of the branch %s made; `prebuilds.branches` in %s lists those that it has.",
			at.project.Name, strings.TrimPrefix(ref, "refs/heads/"), filepath.Base(at.project.File))
	}
	return b.order(ctx, at, ref, who, event)
}

// order adds a prebuild of a branch to those that wait, unless there is one of its commit and nobody asked for another.
func (b *prebuilds) order(ctx context.Context, at branchesOf, ref, cause string, events ...audit.Event) (prebuild.Row, error) {
	all, err := b.List(ctx)
	if err != nil {
		return prebuild.Row{}, err
	}
	waiting := 0
	for _, r := range all {
		pending := r.State == prebuild.Waiting || r.State == prebuild.Running
		if pending && r.Node == b.replica.node {
			waiting++
		}
		if r.Project != at.project.ID || r.Repository != at.url || r.Commit != at.all[ref] || r.Node != b.replica.node {
			continue
		}
		if every := atLeast(at.settings.Every, b.limits.Every); cause == causePoll && !pending && every > 0 && time.Since(r.Created) >= every {
			cause = causeAgain
		}
		if pending || cause == causePush || cause == causePoll {
			return r, nil
		}
		break // it is the newest of its commit
	}
	if waiting >= maxWaiting {
		return prebuild.Row{}, problem.New(problem.Unavailable, "%d prebuilds wait, which is the most that may. Try again when some are made.", waiting)
	}
	r := prebuild.Row{
		ID: identity.NewPrebuildID(), Project: at.project.ID, Repository: at.url, Ref: ref, Commit: at.all[ref], Cause: cause, State: prebuild.Waiting,
		Workspace: identity.NewWorkspaceID(), Created: time.Now().UTC().Truncate(time.Microsecond), Node: b.replica.node,
	}
	for i := range events {
		events[i].Detail = map[string]any{"prebuild": r.ID, "ref": ref, "commit": r.Commit}
	}
	if err := b.Put(ctx, r, events...); err != nil {
		return prebuild.Row{}, err
	}
	b.enqueue(r)
	return r, nil
}

// Delete removes a prebuild. One that is being made is ended.
func (b *prebuilds) Delete(ctx context.Context, id identity.PrebuildID, event audit.Event) error {
	b.mu.Lock()
	b.waiting = slices.DeleteFunc(b.waiting, func(r prebuild.Row) bool { return r.ID == id })
	if one := b.now[id]; one != nil {
		one.dropped = true
		one.stop(errDropped)
		one.drops.Add(1)
		defer one.drops.Done()
	}
	b.mu.Unlock()
	return b.Keeper.Delete(ctx, id, event)
}
