package workspace_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

func order(of identity.WorkspaceID) workspace.SiblingOrder {
	return workspace.SiblingOrder{Of: of, Session: identity.NewSessionID(), Agent: "tidy", Grant: identity.NewGrantID()}
}

func (w *world) wantNoSibling(of identity.WorkspaceID) {
	w.t.Helper()
	if left := w.m.Siblings(of); len(left) > 0 {
		w.t.Errorf("siblings are left: %+v", left)
	}
	if rows, err := w.rows.LoadSiblings(w.t.Context()); err != nil || len(rows) > 0 {
		w.t.Errorf("siblings are recorded: %+v, %v", rows, err)
	}
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	if len(w.f.runs) > 1 {
		w.t.Errorf("the runtime has %v", w.f.runs)
	}
}

// A start that fails, wherever, leaves nothing behind.
func TestSiblingThatDoesNotStartLeavesNothing(t *testing.T) {
	w := newWorld(t)
	of := w.create().ID
	w.until(of, workspace.Running)
	if _, err := w.m.StartSibling(t.Context(), order(of), nil); err == nil { // this agent does not know how to pack
		t.Error("started without a checkout")
	}
	w.wantNoSibling(of)
	w.f.failing("Start", errors.New("planned"))
	if _, err := w.m.StartSibling(t.Context(), order(of), nil); err == nil {
		t.Error("started without a runtime")
	}
	w.wantNoSibling(of)
}

// What stands beside a workspace gets none of its secrets, so none is written down as given, also where they are asked for again.
func TestASiblingIsGivenNoSecret(t *testing.T) {
	w := newWorld(t)
	of := w.create().ID
	w.until(of, workspace.Running)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) { // else the next server starts it again
		if rows, _, err := w.rows.LoadWorkspaces(t.Context()); err != nil || time.Now().After(deadline) {
			t.Fatal("that it runs is not stored:", err)
		} else if rows[0].Phase == workspace.Running {
			break
		}
	}
	w.end()
	w.start()
	for range 2 {
		if _, err := w.m.StartSibling(t.Context(), order(of), nil); err == nil { // this agent does not know how to pack
			t.Error("started without a checkout")
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gave != 1 {
		t.Errorf("secrets were given %d times", w.gave)
	}
}

func TestSiblingsThatThereCannotBe(t *testing.T) {
	w := newWorld(t)
	of := w.create().ID
	w.until(of, workspace.Running)
	bad := order(of)
	bad.Agent = "../x"
	if _, err := w.m.StartSibling(t.Context(), bad, nil); problem.KindOf(err) != problem.Invalid {
		t.Errorf("a name that is a path: %v", err)
	}
	if _, err := w.m.StartSibling(t.Context(), order("w-aaaaaaaaaaaaaaaa"), nil); problem.KindOf(err) != problem.NotFound {
		t.Errorf("beside nothing: %v", err)
	}
	if _, err := w.m.HandBack(t.Context(), "w-aaaaaaaaaaaaaaaa"); problem.KindOf(err) != problem.NotFound {
		t.Errorf("handing back nothing: %v", err)
	}
	if err := w.m.EndSibling(t.Context(), "w-aaaaaaaaaaaaaaaa", "test"); err != nil {
		t.Errorf("ending what is not there: %v", err)
	}
	w.want(of, workspace.WantStopped)
	w.until(of, workspace.Stopped)
	if _, err := w.m.StartSibling(t.Context(), order(of), nil); problem.KindOf(err) != problem.Conflict {
		t.Errorf("beside what does not run: %v", err)
	}
	w.wantNoSibling(of)
}

// A sibling's start that is under way ends with its workspace, which does not wait for it.
func TestSiblingsStartEndsWithItsWorkspace(t *testing.T) {
	w := newWorld(t)
	of := w.create().ID
	w.until(of, workspace.Running)
	w.f.mu.Lock()
	w.f.hold = make(chan struct{})
	w.f.mu.Unlock()
	failed := make(chan error, 1)
	go func() {
		_, err := w.m.StartSibling(t.Context(), order(of), nil)
		failed <- err
	}()
	for len(w.m.Siblings(of)) == 0 {
		select {
		case err := <-failed:
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.m.HandBack(over, w.m.Siblings(of)[0].ID); !errors.Is(err, context.Canceled) || errors.Is(err, workspace.ErrGone) {
		t.Errorf("who gives up waiting for it: %v", err)
	}
	w.want(of, workspace.WantStopped)
	w.until(of, workspace.Stopped)
	if err := <-failed; err == nil {
		t.Error("it started all the same")
	}
	w.wantNoSibling(of)
}

// Work that is refused is kept until its person has it or throws it away, whatever status a process of a workspace answers
// with, and is not sent a second time only because the sibling then ends.
func TestAttack30RefusedWorkIsKept(t *testing.T) {
	for status, said := range map[int]string{http.StatusOK: `{"error":"it is broken"}`, http.StatusNotFound: "it is \x1b]0;broken\a"} {
		w := newWorld(t)
		of := w.create().ID
		w.until(of, workspace.Running)
		w.f.mu.Lock()
		w.f.unpack, w.f.status = said, status
		w.f.mu.Unlock()
		s, err := w.m.StartSibling(t.Context(), order(of), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.m.DiscardSibling(t.Context(), s.ID, "test"); problem.KindOf(err) != problem.Conflict {
			t.Errorf("the work of one that lives is thrown away: %v", err)
		}
		_, err = w.m.HandBack(t.Context(), s.ID)
		if problem.KindOf(err) != problem.BadUpstream || errors.Is(err, workspace.ErrGone) || strings.ContainsAny(problem.Message(err), "\x1b\a") {
			t.Errorf("%d: %v", status, err)
		}
		if err := w.m.EndSibling(t.Context(), s.ID, "done"); err == nil || !strings.Contains(problem.Message(err), "broken") {
			t.Errorf("%d: ended: %v", status, err)
		}
		w.f.mu.Lock()
		if w.f.packs != 2 { // its start, its end
			t.Errorf("%d checkouts were packed", w.f.packs)
		}
		w.f.mu.Unlock()
		if kept, _ := w.m.Sibling(s.ID); kept.Kept == "" {
			t.Errorf("%d: not kept: %+v", status, kept)
		}
		if err := w.m.DiscardSibling(t.Context(), s.ID, "test"); err != nil {
			t.Error(err)
		}
		w.wantNoSibling(of)
		if err := w.m.DiscardSibling(t.Context(), s.ID, "test"); !errors.Is(err, workspace.ErrGone) {
			t.Errorf("a second time: %v", err)
		}
	}
}

// Who shares a checkout does not go on with it when the server that watches it ends.
func TestAttack31SharedCheckoutEndsWithTheServer(t *testing.T) {
	w := newWorld(t)
	of := w.create().ID
	w.until(of, workspace.Running)
	o := order(of)
	o.Shared = true
	s, err := w.m.StartSibling(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.end()
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	if w.f.runs[s.ID] || !w.f.runs[of] {
		t.Errorf("the runtime has %v", w.f.runs)
	}
}
