package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/prebuild"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

const (
	prebuildAgent = 30 * time.Second // how long its workspace has to call back
	prebuildGone  = time.Minute      // for removing its workspace
	maxTaskTold   = 16 << 10         // bytes of the output of each task
)

// work makes what waits, one after the other, until ctx ends.
func (b *prebuilds) work(ctx context.Context) {
	for {
		row, one, making, ok := b.next(ctx)
		if !ok {
			select {
			case <-ctx.Done():
				return
			case <-b.wake:
			}
			continue
		}
		b.makeOne(making, one, row)
	}
}

// next takes the first that waits.
func (b *prebuilds) next(ctx context.Context) (row prebuild.Row, one *making, its context.Context, ok bool) {
	if ctx.Err() != nil {
		return row, nil, nil, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		return row, nil, nil, false
	}
	row, b.waiting = b.waiting[0], b.waiting[1:]
	its, stop := context.WithCancelCause(ctx)
	p, _ := b.engine.Facts().Projects.Project(row.Project)
	one = &making{in: row.Workspace, who: prebuilder(p, row.Repository), stop: stop}
	b.now[row.ID] = one
	return row, one, its, true
}

// makeOne makes a prebuild and stores what became of it. Where a workspace waits for its room, it ends, and is made again later.
func (b *prebuilds) makeOne(ctx context.Context, one *making, row prebuild.Row) {
	lasting := context.WithoutCancel(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer one.stop(nil)
	told := &story{}
	leave, err := b.room(ctx, row)
	if err != nil && ctx.Err() != nil && !errors.Is(context.Cause(ctx), errDropped) {
		return // the server ends; it waits on, and is found when it begins again
	}
	if err == nil {
		defer leave()
		watch.Go(func() {
			if b.workspaces.Yield(ctx, row.Workspace) == nil {
				one.stop(errAside)
			}
		})
		row.State, row.Message, row.Started = prebuild.Running, "", time.Now().UTC().Truncate(time.Microsecond)
		err = b.Put(lasting, row)
	}
	if err == nil {
		row.Size, row.Digest, err = b.made(ctx, row, one.who, told)
	}
	b.remove(lasting, row.Workspace)
	cause := context.Cause(ctx)
	aside := err != nil && errors.Is(cause, errAside)
	switch {
	case errors.Is(cause, errDropped): // its file, if there is one, goes with a later sweep
	case aside:
		row.State, row.Message, row.Started, row.Workspace = prebuild.Waiting, pushedAside, time.Time{}, identity.NewWorkspaceID()
		if err := b.Put(lasting, row); err != nil {
			b.log.Error("a prebuild that was put off could not be stored", "prebuild", row.ID, "error", err)
		}
	default:
		row.Log = told.text()
		b.finish(ctx, row, err)
	}
	b.mu.Lock()
	dropped := one.dropped
	delete(b.now, row.ID)
	if aside && !dropped {
		b.waiting = slices.Insert(b.waiting, 0, row)
	}
	b.mu.Unlock()
	if dropped { // also where it was deleted just before something of it was stored
		one.drops.Wait() // whoever deletes it finds it, and what they do is recorded
		if _, err := b.store.DropPrebuild(lasting, row.ID); err != nil {
			b.log.Error("a deleted prebuild is left", "prebuild", row.ID, "error", err)
		}
	}
	b.sweep(lasting)
}

const pushedAside = "A workspace was waiting for its room, so it was stopped, and is made when there is room again."

// finish stores how one ended; failed says why it did not become one.
func (b *prebuilds) finish(ctx context.Context, row prebuild.Row, failed error) {
	row.State = prebuild.Done
	outcome := audit.Done
	switch {
	case failed == nil:
	case ctx.Err() != nil:
		row.State, row.Message, outcome = prebuild.Failed, failedByStop, audit.Failed
	default:
		row.State, row.Message, outcome = prebuild.Failed, problem.Message(failed), audit.Failed
		b.log.Warn("a prebuild failed", "prebuild", row.ID, "repository", row.Repository, "ref", row.Ref, "error", failed)
	}
	if _, err := b.Finish(context.WithoutCancel(ctx), row, b.event(row, outcome)); err != nil {
		b.log.Error("a prebuild's end could not be stored", "prebuild", row.ID, "error", err)
	}
}

// room waits until the machine has room for a prebuild that nobody's workspace waits for; one that was ordered long enough ago has its
// turn among them.
func (b *prebuilds) room(ctx context.Context, row prebuild.Row) (leave func(), err error) {
	class, err := b.class(workspace.Workspace{Project: row.Project})
	if err != nil {
		return nil, err
	}
	return b.workspaces.Room(ctx, row.Workspace, class, row.Created.Add(b.limits.Yields))
}

// event tells how a prebuild ended.
func (b *prebuilds) event(row prebuild.Row, outcome audit.Outcome) audit.Event {
	p, _ := b.engine.Facts().Projects.Project(row.Project)
	ev := audit.Event{
		Time: time.Now(), Action: "prebuild:run", Outcome: outcome, Actor: "service:" + identity.PrebuildService(p.Name), Workspace: row.Workspace,
		Project: p.Name, Resource: "repo " + row.Repository,
		Detail: map[string]any{"prebuild": row.ID, "ref": row.Ref, "commit": row.Commit, "cause": row.Cause},
	}
	if row.Message != "" {
		ev.Reasons = []string{row.Message}
	}
	if row.Digest != "" {
		ev.Detail["digest"], ev.Detail["size"] = row.Digest, row.Size
	}
	return ev
}

// made runs what runs once, in a workspace of its own, and keeps the checkout.
func (b *prebuilds) made(ctx context.Context, row prebuild.Row, who identity.Principal, told *story) (size int64, digest string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.limits.Timeout, problem.New(problem.Unavailable, "It took longer than %s, which is the most that one may (`prebuilds.timeout` in lanyard.yaml).", b.limits.Timeout))
	defer cancel()
	ws := workspace.Workspace{
		ID: row.Workspace, OwnerName: who.Service, Project: row.Project, Repository: row.Repository, Ref: row.Commit, Name: workspace.CheckoutName(row.Repository),
	}
	class, err := b.class(ws)
	if err != nil {
		return 0, "", err
	}
	prepared, err := b.prepareAs(ctx, ws, who, told.say)
	if err != nil {
		return 0, "", err
	}
	spec, setup := prepared.Spec, prepared.Setup
	spec.ID, spec.Name, spec.Limits = ws.ID, ws.Name, class.Limits
	spec.Endpoint = func(ctx context.Context, uid int) (string, error) { return b.hub.Listen(ctx, ws.ID, uid) }
	setup.Prebuild = true
	setup.Env["GITPOD_HEADLESS"] = "true"
	if err := b.runtime.Start(ctx, spec, func(text string) { told.say("", text) }); err != nil {
		return 0, "", failedStep("Starting its workspace", err)
	}
	wait, cancelWait := context.WithTimeout(ctx, prebuildAgent)
	defer cancelWait()
	if err := b.hub.Wait(wait, ws.ID); err != nil {
		return 0, "", failedStep("Waiting for its workspace", err)
	}
	agent := agentapi.New(b.hub.Client(ws.ID))
	err = agent.Setup(ctx, setup, func(p agentapi.Progress) { told.say("", p.Text) })
	told.tasks(ctx, agent)
	if cause := context.Cause(ctx); err != nil && cause != nil && problem.KindOf(cause) != problem.Internal {
		err = cause
	}
	if err != nil {
		return 0, "", err
	}
	folded, err := agent.Fold(ctx, agentapi.FoldOrder{Name: ws.Name})
	if err != nil {
		return 0, "", err
	}
	defer folded.Close()
	return b.Write(row.ID, folded)
}

// remove removes the workspace that a prebuild was made in.
func (b *prebuilds) remove(ctx context.Context, id identity.WorkspaceID) {
	ctx, cancel := context.WithTimeout(ctx, prebuildGone)
	defer cancel()
	err := b.runtime.Delete(ctx, id)
	if err == nil {
		b.hub.Close(id)
		err = b.hub.Remove(id)
	}
	if err != nil {
		b.log.Error("the workspace of a prebuild could not be removed", "workspace", id, "error", err)
	}
}

// story is what was said while a prebuild was made.
type story struct {
	mu    sync.Mutex
	lines strings.Builder
}

func (s *story) say(_ workspace.Phase, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text = plainly(text); text != "" && s.lines.Len() < prebuild.MaxLog {
		s.lines.WriteString(text + "\n")
	}
}

// terminalCodes are colours, moves of the cursor and titles (ECMA-48, CSI and OSC).
var terminalCodes = regexp.MustCompile(`\x1b(\[[0-9;:<=>?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?)`)

// plainly takes out of what was written for a terminal what would move its cursor or change its colours.
func plainly(text string) string {
	text = terminalCodes.ReplaceAllString(strings.ToValidUTF8(text, "\uFFFD"), "")
	text = strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, text)
	return strings.TrimRight(text, "\n")
}

func (s *story) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines.String()
}

// tasks adds what tasks and steps have written, the end of it.
func (s *story) tasks(ctx context.Context, agent agentapi.Client) {
	all, err := agent.Tasks(ctx)
	if err != nil {
		return // the workspace is gone; what is told already says why
	}
	for _, t := range all {
		log, err := agent.TaskLog(ctx, t.ID)
		if err != nil {
			continue
		}
		text, _ := io.ReadAll(log) // as far as it came
		log.Close()
		if len(text) == 0 {
			continue
		}
		s.say("", fmt.Sprintf("--- %s: %s, status %d", t.Name, t.State, t.Exit))
		s.say("", string(text[max(0, len(text)-maxTaskTold):]))
	}
}
