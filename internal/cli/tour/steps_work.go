package tour

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// adaOpens signs a developer in and brings her to a prompt.
func adaOpens(ctx context.Context, s *stage) error {
	ada, took, err := s.signIn(ctx, "ada")
	if err != nil {
		return err
	}
	s.took(took, "signed in at the tenant, by its page and the code flow")
	if err := s.introduce(ada, "payments", "developer"); err != nil {
		return err
	}
	repository, err := s.repository("/payments/api")
	if err != nil {
		return err
	}
	s.tell("she clicks %s/#%s", s.info.URL, repository)
	toPrompt, err := s.workspaceOf(ctx, ada, repository)
	if err != nil {
		return err
	}
	s.took(toPrompt, "from the click to the prompt")
	_, err = s.types(ctx, ada, "git log --oneline -3")
	return err
}

// introduce says who a person is, and fails when it is not as told.
func (s *stage) introduce(p *person, project, role string) error {
	for _, held := range p.me.Projects {
		if held.Name == project && held.Role == role {
			s.tell("she is %s, %s of %s through %s", p.me.Name, role, project, way(held.Via, held.Path))
			return nil
		}
	}
	return fmt.Errorf("%s should be %s of %s, and holds %v", p.me.Name, role, project, p.me.Projects)
}

// way is the group that gives a role, and the groups that lead to it.
func way(via string, path []string) string {
	text := via
	for _, g := range path {
		if g != via {
			text += ", in which there is " + g
		}
	}
	return text
}

// adaWorks edits, commits and pushes; the upstream and the internal API know her by name.
func adaWorks(ctx context.Context, s *stage) error {
	ada := s.people["ada"]
	branch := "tour-" + strings.TrimPrefix(ada.workspace.ID, "w-")[:6]
	before := fileSize(s.info.GitLog)
	for _, command := range []string{
		"git switch -q -c " + branch,
		"echo 'Amounts are in minor units.' >> README.md",
		"git commit -q -am 'Say what amounts are in' && git log -1 --format='%h %an <%ae> %s'",
	} {
		if _, err := s.types(ctx, ada, command); err != nil {
			return err
		}
	}
	s.unpush = s.changed("delete the branch "+branch, func(ctx context.Context) error { return s.deleteBranch(ctx, branch) })
	push := "git push -q origin " + branch
	begun := time.Now()
	if _, err := s.types(ctx, ada, push); err != nil {
		return err
	}
	s.took(time.Since(begun), "pushed; no password was asked for, and there is none")
	if err := s.upstreamSays(before, branch, ada.me.Name); err != nil {
		return err
	}
	if _, err := s.types(ctx, ada, "head -c 20M /dev/urandom > recording.bin && git add . && git commit -q -m 'Add a recording'"); err != nil {
		return err
	}
	begun = time.Now()
	if _, err := s.types(ctx, ada, push); err != nil {
		return err
	}
	s.took(time.Since(begun), "20 MB more pushed")
	out, err := s.types(ctx, ada, "curl -s http://127.0.0.1:7070/r/ledger/whoami")
	if err != nil {
		return err
	}
	if !strings.Contains(out, ada.me.Name) {
		return fmt.Errorf("the ledger should know %s, and answered %q", ada.me.Name, out)
	}
	return nil
}

// deleteBranch takes the tour's branch out of the sample repository, by who pushed it. What took her access away may
// have been put back a moment ago only, and her sign-in may have ended.
func (s *stage) deleteBranch(ctx context.Context, branch string) error {
	ada := s.people["ada"]
	return until(ctx, 200*time.Millisecond, func() (bool, error) {
		out, status, err := ada.exec(ctx, "git", "push", "-q", "origin", "--delete", branch)
		if err != nil {
			return false, s.reenter(ctx, ada)
		}
		return status == 0 || strings.Contains(out, "remote ref does not exist"), nil
	})
}

// reenter signs a person in anew, so that their workspace hangs below a sign-in that lives, and starts it if need be.
func (s *stage) reenter(ctx context.Context, p *person) error {
	if _, _, err := s.signIn(ctx, p.name); err != nil {
		return unless(err, problem.SignInNeeded, problem.Denied, problem.Unavailable)
	}
	if _, err := p.StartWorkspace(ctx, p.workspace.ID); err != nil {
		return unless(err, problem.Denied, problem.Unavailable)
	}
	_, err := p.Follow(ctx, p.workspace.ID, func(api.Progress) {})
	return err
}

// upstreamSays finds the line of the upstream's own log that tells of a push, which has to name the person.
func (s *stage) upstreamSays(from int64, branch, name string) error {
	f, err := os.Open(s.info.GitLog)
	if err != nil {
		return fmt.Errorf("read the upstream's log: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, from, 1<<20))
	if err != nil {
		return fmt.Errorf("read the upstream's log: %w", err)
	}
	for line := range strings.Lines(grep(string(text), branch)) {
		if strings.Contains(line, name) {
			s.tell("the upstream's own log:")
			s.quote(line)
			return nil
		}
	}
	return fmt.Errorf("the upstream's log has no push of %s by %s", branch, name)
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0 // not written yet
	}
	return info.Size()
}

// noSecrets looks where secrets of other workspaces are.
func noSecrets(ctx context.Context, s *stage) error {
	ada := s.people["ada"]
	for _, command := range []string{
		"git config --list | grep -ciE 'extraheader|token|passw|helper=.|//[^/ ]+:[^/ ]+@'",
		"env | grep -ciE 'token|secret|passw|credential'",
		"ls -d ~/.git-credentials ~/.netrc ~/.ssh ~/.aws ~/.azure 2>/dev/null | wc -l",
	} {
		out, status, err := ada.terminal.run(ctx, command)
		if err != nil {
			return err
		}
		s.typed(ada.name, command, out)
		if out != "0" || status > 1 {
			return fmt.Errorf("%q should have found nothing, and found %q", command, out)
		}
	}
	return nil
}
