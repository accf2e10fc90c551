package tour

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/problem"
)

const (
	group = "payments-engineers"
	// slow is so many bytes a second that the clone of the large repository goes on for minutes.
	slow = 2_000_000
)

// open begins what Ada has open when her group goes.
func (s *stage) open(ctx context.Context, ada *person) error {
	assets, err := s.repository("/payments/assets")
	if err != nil {
		return err
	}
	s.changed("end the sample Git server's slowness", func(ctx context.Context) error { return s.operator.Throttle(ctx, 0) })
	if err := s.operator.Throttle(ctx, slow); err != nil {
		return err
	}
	s.streams.from = time.Now()
	s.streams.jobs = []job{
		{
			name: "clone", what: "git clone " + assets, command: "git clone --progress " + assets + " /tmp/clone",
			begun: func(out string) bool { return strings.Contains(out, "Receiving objects") },
			said:  func(out string) string { return grep(out, "remote: Lanyard", "fatal:", "error:") },
		},
		{
			name: "watch", what: "curl …/r/ledger/watch, a stream of events", command: "curl -sN http://127.0.0.1:7070/r/ledger/watch",
			begun: func(out string) bool { return strings.Contains(out, "data:") },
			said:  lastEvent,
		},
		{
			name: "export", what: "curl …/r/ledger/export, a long answer", command: "curl -sSN http://127.0.0.1:7070/r/ledger/export; s=$?; curl -sS http://127.0.0.1:7070/r/ledger/whoami >/tmp/export.next 2>&1; (exit $s)",
			begun: func(out string) bool { return strings.Contains(out, "exported for") },
			said:  func(out string) string { return grep(out, "curl:") },
		},
	}
	for _, j := range s.streams.jobs {
		if err := j.start(ctx, ada); err != nil {
			return fmt.Errorf("begin %s: %w", j.what, err)
		}
	}
	return nil
}

// lastEvent is the last event of a stream.
func lastEvent(out string) string {
	events := strings.Split(strings.TrimSpace(out), "\n\n")
	return strings.TrimSpace(events[len(events)-1])
}

// groupGoes takes Ada's group away while she has four things open.
func groupGoes(ctx context.Context, s *stage) error {
	ada := s.people["ada"]
	if err := s.open(ctx, ada); err != nil {
		return err
	}
	open, _, err := s.leases(ctx, "ada", s.streams.from)
	if err != nil {
		return err
	}
	s.tell("she has open, as %s (the Git server is slowed down):", resting(open))
	for _, x := range open {
		s.tell("   %-15s %s", x.Action, x.Resource)
	}
	if len(open) < 4 {
		return fmt.Errorf("ada should have four things open and has %d", len(open))
	}
	back := s.changed("put ada back into "+group, func(ctx context.Context) error {
		_, err := s.graph.add(ctx, group, "ada")
		return err
	})
	if s.streams.gone, err = s.graph.remove(ctx, group, "ada"); err != nil {
		return err
	}
	s.say("")
	s.tell("the tenant takes her out of %s; counted from its answer:", group)
	said, at, closed, err := ada.terminal.cut(ctx)
	if err != nil {
		return err
	}
	s.took(at.Sub(s.streams.gone), "the terminal (close code %d)", closed.Code)
	s.quote(said)
	if said == "" {
		return errors.New("the terminal should have said why it ended")
	}
	if err := s.allEnded(ctx, "ada"); err != nil {
		return err
	}
	return s.returned(ctx, ada, back)
}

// resting is the role and the group that leases rest on.
func resting(open []api.Lease) string {
	for _, l := range open {
		if l.Role != "" {
			return l.Role + " through " + l.Via
		}
	}
	return "nobody"
}

// allEnded waits until a user has nothing open, and the call that came after was refused.
func (s *stage) allEnded(ctx context.Context, user string) error {
	return until(ctx, 20*time.Millisecond, func() (bool, error) {
		open, _, err := s.leases(ctx, user, time.Time{})
		if err != nil || len(open) > 0 {
			return false, err
		}
		page, err := s.operator.Audit(ctx, api.AuditQuery{Limit: 1, User: user, Action: "app:call"})
		return err == nil && len(page.Items) > 0 && page.Items[0].Outcome == "denied" && page.Items[0].Time.After(s.streams.from), err
	})
}

// returned puts Ada back and reads in her workspace how her programs ended.
func (s *stage) returned(ctx context.Context, ada *person, back func(context.Context) error) error {
	_, ended, err := s.leases(ctx, "ada", s.streams.from)
	if err != nil {
		return err
	}
	if err := back(ctx); err != nil {
		return err
	}
	again := time.Now()
	if err := s.admitted(ctx, ada, "payments"); err != nil {
		return err
	}
	admitted := time.Since(again)
	if err := s.operator.Throttle(ctx, 0); err != nil {
		return err
	}
	if err := ada.attach(ctx); err != nil {
		return err
	}
	s.tell("in the workspace, by the programs themselves:")
	for _, j := range s.streams.jobs {
		status, at, said, err := j.end(ctx, ada)
		if err != nil {
			return err
		}
		s.took(at.Sub(s.streams.gone), "%s (exit status %d)", j.what, status)
		s.quote(said)
		if status == 0 || j.name != "export" && !strings.Contains(said, group) {
			return fmt.Errorf("%s should have failed and said why", j.what)
		}
	}
	next, _, err := ada.terminal.run(ctx, "cat /tmp/export.next")
	if err != nil {
		return err
	}
	s.tell("the next call of the API, and the reason that stands under “ended”:")
	s.quote(detail(next))
	if strings.Contains(next, ada.me.Name+`","oid`) {
		return errors.New("the next call should have been refused")
	}
	for _, x := range ended {
		if x.Action == "app:call" {
			s.quote(x.Reason)
			break
		}
	}
	s.say("")
	s.took(admitted, "put back; from the tenant's answer until she may again")
	return nil
}

// detail is the sentence of a problem document.
func detail(document string) string {
	var d problem.Document
	if json.Unmarshal([]byte(document), &d) != nil || d.Detail == "" {
		return document
	}
	return d.Detail
}

// admitted waits until a person sees a project.
func (s *stage) admitted(ctx context.Context, p *person, project string) error {
	return until(ctx, 2*time.Millisecond, func() (bool, error) {
		projects, err := p.Projects(ctx)
		for _, x := range projects {
			if x.Name == project {
				return true, nil
			}
		}
		return false, err
	})
}

// groupComesBack shows that everything works again, with nothing restarted.
func groupComesBack(ctx context.Context, s *stage) error {
	ada := s.people["ada"]
	s.tell("the same shell, which went on; nothing was restarted")
	assets, err := s.repository("/payments/assets")
	if err != nil {
		return err
	}
	begun := time.Now()
	if _, err := s.types(ctx, ada, "rm -rf /tmp/clone; git clone -q "+assets+" /tmp/clone && du -sh /tmp/clone | cut -f1"); err != nil {
		return err
	}
	s.took(time.Since(begun), "cloned whole")
	if _, err := s.types(ctx, ada, "curl -s http://127.0.0.1:7070/r/ledger/whoami"); err != nil {
		return err
	}
	if err := s.unpush(ctx); err != nil {
		return err
	}
	s.tell("and she deletes the branch again")
	return nil
}
