package tour

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/api"
)

// streams are what a person had open when a group went.
type streams struct {
	from time.Time // when they were begun
	gone time.Time // when the tenant had answered that the group went
	jobs []job
}

// job is a program that runs in a workspace's background and notes how and when it ended, by the machine's clock,
// which the workspace shares.
type job struct {
	name    string // of its files below /tmp
	what    string
	command string
	begun   func(output string) bool
	said    func(output string) string // its last words
}

// start begins a job in the person's terminal, whose shell outlives the connection.
func (j job) start(ctx context.Context, p *person) error {
	_, _, err := p.terminal.run(ctx, fmt.Sprintf("rm -rf /tmp/%[1]s*; (%[2]s >/tmp/%[1]s.out 2>&1; echo $? $(date +%%s%%N) >/tmp/%[1]s.end) & disown", j.name, j.command))
	if err != nil {
		return err
	}
	return until(ctx, 100*time.Millisecond, func() (bool, error) {
		out, _, err := p.terminal.run(ctx, "tail -c 4000 /tmp/"+j.name+".out")
		return j.begun(out), err
	})
}

// end reads how and when a job ended.
func (j job) end(ctx context.Context, p *person) (status int, at time.Time, said string, err error) {
	var out string
	err = until(ctx, 100*time.Millisecond, func() (bool, error) {
		var missing int
		out, missing, err = p.terminal.run(ctx, "cat /tmp/"+j.name+".end")
		return missing == 0, err
	})
	if err != nil {
		return 0, at, "", fmt.Errorf("%s did not end: %w", j.what, err)
	}
	code, nanoseconds, _ := strings.Cut(strings.TrimSpace(out), " ")
	if status, err = strconv.Atoi(code); err != nil {
		return 0, at, "", fmt.Errorf("read how %s ended: %q", j.what, out)
	}
	ns, err := strconv.ParseInt(nanoseconds, 10, 64)
	if err != nil {
		return 0, at, "", fmt.Errorf("read when %s ended: %q", j.what, out)
	}
	out, _, err = p.terminal.run(ctx, "tail -c 4000 /tmp/"+j.name+".out")
	return status, time.Unix(0, ns), j.said(out), err
}

// leases lists what a user has open, without the asking for it, and what was closed since a moment.
func (s *stage) leases(ctx context.Context, user string, since time.Time) (open, ended []api.Lease, err error) {
	l, err := s.operator.Leases(ctx, user)
	if err != nil {
		return nil, nil, err
	}
	for _, x := range l.Open {
		if x.Actor == "" {
			open = append(open, x)
		}
	}
	for _, x := range l.Ended {
		if x.Ended.After(since) {
			ended = append(ended, x)
		}
	}
	return open, ended, nil
}
