package tour

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lanyardhq/lanyard/api"
)

// viewer shows a push that is refused, and why.
func viewer(ctx context.Context, s *stage) error {
	linus, _, err := s.signIn(ctx, "linus")
	if err != nil {
		return err
	}
	repository, err := s.repository("/payments/api")
	if err != nil {
		return err
	}
	if err := s.create(ctx, linus, repository); err != nil {
		return err
	}
	if linus.workspace, err = linus.Follow(ctx, linus.workspace.ID, func(api.Progress) {}); err != nil {
		return err
	}
	s.tell("%s opens a workspace on the same repository; it is cloned", linus.me.Name)
	if out, status, err := linus.exec(ctx, "sh", "-c", "echo note >> README.md && git commit -q -am 'Note'"); err != nil || status != 0 {
		return fmt.Errorf("commit as a viewer: status %d %s %w", status, out, errors.Join(err))
	}
	out, status, err := linus.exec(ctx, "git", "push", "origin", "HEAD:refs/heads/tour-viewer")
	if err != nil {
		return err
	}
	s.typed(linus.name, "git push origin HEAD:refs/heads/tour-viewer", grep(out, "remote:", "rejected", "fatal:", "error:"))
	if status == 0 {
		return errors.New("a viewer's push should have been refused")
	}
	return errors.Join(s.why(ctx, "linus", "deny"), s.why(ctx, "ada", "allow"))
}

// why asks for the decision on a push, and shows it in short.
func (s *stage) why(ctx context.Context, user, want string) error {
	repository, err := s.repository("/payments/api")
	if err != nil {
		return err
	}
	w, err := s.operator.Why(ctx, "repo:write", repository, user)
	if err != nil {
		return err
	}
	s.tell("$ lanyard why repo:write %s --user %s", repository, user)
	text := w.Decision
	if w.Role != "" {
		text += ": " + w.Role + " of " + w.Project + " through " + way(w.Via, w.Path)
	}
	if len(w.Policies) > 0 {
		text += ", by the policy " + strings.Join(w.Policies, ", ")
	}
	s.quote(text)
	if w.Decision == "deny" {
		s.quote(strings.Join(w.Reasons, "\n"))
	}
	if w.Decision != want {
		return fmt.Errorf("for %s, repo:write should be %s and is %s", user, want, w.Decision)
	}
	return nil
}

// stranger shows that who is in no project cannot tell what is there.
func stranger(ctx context.Context, s *stage) error {
	mallory, _, err := s.signIn(ctx, "mallory")
	if err != nil {
		return err
	}
	projects, err := mallory.Projects(ctx)
	if err != nil {
		return err
	}
	workspaces, err := mallory.Workspaces(ctx)
	if err != nil {
		return err
	}
	s.tell("%s is signed in and sees %d projects and %d workspaces", mallory.me.Name, len(projects), len(workspaces))
	if len(projects)+len(workspaces) > 0 {
		return errors.New("a stranger should see nothing")
	}
	repository, err := s.repository("/payments/api")
	if err != nil {
		return err
	}
	absent := strings.TrimSuffix(repository, "api") + "nothing-here"
	var said [2]string
	for i, u := range []string{repository, absent} {
		err := s.create(ctx, mallory, u)
		if err == nil {
			return errors.New("a stranger should not have got a workspace")
		}
		var refused *api.Error
		if !errors.As(err, &refused) {
			return err
		}
		said[i] = strings.ReplaceAll(refused.Detail, u, "…")
		s.tell("she clicks %s:", u)
		s.quote(refused.Detail)
	}
	if said[0] != said[1] {
		return errors.New("a stranger can tell a repository that is there from one that is not")
	}
	return s.why(ctx, "mallory", "deny")
}
