package tour

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// revoked ends a user's sign-ins without the tenant's help.
func revoked(ctx context.Context, s *stage) error {
	ada := s.people["ada"]
	online := s.changed("switch the tenant on", func(ctx context.Context) error { return s.operator.TenantOffline(ctx, false) })
	if err := s.operator.TenantOffline(ctx, true); err != nil {
		return err
	}
	s.tell("the tenant does not answer; the operator: $ lanyard revoke user ada")
	begun := time.Now()
	done, err := s.operator.Revoke(ctx, api.Revoke{Kind: api.RevokeUser, ID: "ada"})
	if err != nil {
		return err
	}
	s.took(time.Since(begun), "%s", done.Message)
	said, at, _, err := ada.terminal.cut(ctx)
	if err != nil {
		return err
	}
	s.took(at.Sub(begun), "from the command to the terminal's end")
	s.quote(said)
	if _, err := ada.Me(ctx); remote.KindOf(err) != problem.SignInNeeded {
		return fmt.Errorf("ada's sign-in should have ended; whoami answered %w", err)
	}
	if err := online(ctx); err != nil {
		return err
	}
	if err := s.reenter(ctx, ada); err != nil {
		return err
	}
	if err := ada.attach(ctx); err != nil {
		return err
	}
	s.tell("the tenant is on again; she signs in anew, and her workspace has gone on:")
	_, err = s.types(ctx, ada, "git log --oneline -1")
	return err
}

// nested takes the group away through which another group gives access.
func nested(ctx context.Context, s *stage) error {
	const inner = "payments-api-team"
	barbara, _, err := s.signIn(ctx, "barbara")
	if err != nil {
		return err
	}
	if err := s.introduce(barbara, "payments", "developer"); err != nil {
		return err
	}
	repository, err := s.repository("/payments/api")
	if err != nil {
		return err
	}
	toPrompt, err := s.workspaceOf(ctx, barbara, repository)
	if err != nil {
		return err
	}
	s.took(toPrompt, "from the click to the prompt")
	back := s.changed("put "+inner+" back into "+group, func(ctx context.Context) error {
		_, err := s.graph.add(ctx, group, inner)
		return err
	})
	gone, err := s.graph.remove(ctx, group, inner)
	if err != nil {
		return err
	}
	s.tell("the tenant takes the group %s out of the group %s:", inner, group)
	said, at, _, err := barbara.terminal.cut(ctx)
	if err != nil {
		return err
	}
	s.took(at.Sub(gone), "from the tenant's answer to the terminal's end")
	s.quote(said)
	if err := back(ctx); err != nil {
		return err
	}
	again := time.Now()
	if err := s.admitted(ctx, barbara, "payments"); err != nil {
		return err
	}
	s.took(time.Since(again), "put back; from the tenant's answer until she may again")
	return nil
}

// disabled switches an account off and on: sessions end and the workspace stops, and nothing is deleted.
func disabled(ctx context.Context, s *stage) error {
	barbara := s.people["barbara"]
	if err := barbara.attach(ctx); err != nil {
		return err
	}
	if _, err := s.types(ctx, barbara, "echo 'half a thought' > notes.txt"); err != nil {
		return err
	}
	enable := s.changed("enable barbara's account", func(ctx context.Context) error {
		_, err := s.graph.enable(ctx, "barbara", true)
		return err
	})
	gone, err := s.graph.enable(ctx, "barbara", false)
	if err != nil {
		return err
	}
	s.tell("the tenant disables her account:")
	said, at, _, err := barbara.terminal.cut(ctx)
	if err != nil {
		return err
	}
	s.took(at.Sub(gone), "the terminal")
	s.quote(said)
	if err := until(ctx, 2*time.Millisecond, func() (bool, error) {
		_, err := barbara.Me(ctx)
		return remote.KindOf(err) == problem.SignInNeeded, unless(err, problem.SignInNeeded, problem.Denied)
	}); err != nil {
		return fmt.Errorf("barbara's session should have ended: %w", err)
	}
	s.took(time.Since(gone), "her sessions have ended")
	id := barbara.workspace.ID
	if err := until(ctx, 20*time.Millisecond, func() (bool, error) {
		w, err := s.operator.Workspace(ctx, id)
		return w.Phase == "stopped", err
	}); err != nil {
		return fmt.Errorf("barbara's workspace should have stopped: %w", err)
	}
	s.took(time.Since(gone), "her workspace has stopped; nothing is deleted")
	if _, _, err := s.signIn(ctx, "barbara"); err == nil {
		return errors.New("who is disabled should not be able to sign in")
	}
	s.tell("she cannot sign in")
	if err := enable(ctx); err != nil {
		return err
	}
	if err := until(ctx, 50*time.Millisecond, func() (bool, error) {
		barbara, _, err = s.signIn(ctx, "barbara")
		return err == nil && len(barbara.me.Projects) > 0, unless(err, problem.SignInNeeded, problem.Denied)
	}); err != nil {
		return err
	}
	begun := time.Now()
	if barbara.workspace, err = barbara.StartWorkspace(ctx, id); err != nil {
		return err
	}
	s.tell("enabled again, she signs in and starts it again:")
	if barbara.workspace, err = barbara.Follow(ctx, id, func(api.Progress) {}); err != nil {
		return err
	}
	if err := barbara.attach(ctx); err != nil {
		return err
	}
	if at, err = barbara.terminal.prompt(ctx); err != nil {
		return err
	}
	s.took(at.Sub(begun), "from the click to the prompt")
	_, err = s.types(ctx, barbara, "cat notes.txt")
	return err
}

// unless drops an error of these kinds.
func unless(err error, kinds ...problem.Kind) error {
	for _, k := range kinds {
		if remote.KindOf(err) == k {
			return nil
		}
	}
	return err
}

// joiner puts somebody into a group; nothing is done in Lanyard.
func joiner(ctx context.Context, s *stage) error {
	joy, _, err := s.signIn(ctx, "joy")
	if err != nil {
		return err
	}
	if len(joy.me.Projects) > 0 {
		return fmt.Errorf("joy should be in no project yet, and holds %v", joy.me.Projects)
	}
	s.tell("%s is in no project; the tenant puts her into %s", joy.me.Name, group)
	leave := s.changed("take joy out of "+group, func(ctx context.Context) error {
		_, err := s.graph.remove(ctx, group, "joy")
		return err
	})
	added, err := s.graph.add(ctx, group, "joy")
	if err != nil {
		return err
	}
	if err := s.admitted(ctx, joy, "payments"); err != nil {
		return err
	}
	s.took(time.Since(added), "from the tenant's answer until she may; nothing was done in Lanyard")
	repository, err := s.repository("/payments/api")
	if err != nil {
		return err
	}
	toPrompt, err := s.workspaceOf(ctx, joy, repository)
	if err != nil {
		return err
	}
	s.took(toPrompt, "from the click to the prompt")
	if _, err := s.types(ctx, joy, "git config user.name"); err != nil {
		return err
	}
	return leave(ctx)
}

// logged checks the audit log.
func logged(ctx context.Context, s *stage) error {
	v, err := s.operator.VerifyAudit(ctx)
	if err != nil {
		return err
	}
	s.tell("$ lanyard audit verify")
	s.quote(fmt.Sprintf("%d entries: %s", v.Size, v.Text))
	if !v.OK {
		return fmt.Errorf("the audit log does not verify: %v", v.Problems)
	}
	page, err := s.operator.Audit(ctx, api.AuditQuery{Limit: 1, User: "linus", Action: "repo:write"})
	if err != nil {
		return err
	}
	if len(page.Items) == 0 || page.Items[0].Outcome != "denied" {
		return errors.New("linus's refused push should be in the log")
	}
	e := page.Items[0]
	s.tell("$ lanyard audit search --user linus --action repo:write")
	s.quote(fmt.Sprintf("%d  %s  %s  %s  %s", e.Seq, e.Outcome, e.Action, e.UserName, e.Resource))
	return nil
}
