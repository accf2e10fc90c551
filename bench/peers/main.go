// Peers measures decisions beside those of other makers' engines, on the organisation of package world. It is a module of
// its own, so that Lanyard's does not depend on them. `make bench ONLY=decide-peers` runs it.
//
// Each engine is a process of its own: what one keeps in memory costs another nothing. They take turns.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lanyardhq/lanyard/bench/world"
	"github.com/lanyardhq/lanyard/internal/access"
)

const (
	rounds = 5
	round  = 500 * time.Millisecond
)

// engine answers whether a question's answer is yes.
type engine func(access.Request) (bool, error)

// makers make the engines; a peer knows what the world says as plain data.
var makers = []struct {
	name string
	make func(*world.World, time.Time) (engine, error)
}{
	{"uncached", lanyardUncached}, {"cached", lanyardCached}, {"opa", newOPA}, {"casbin", newCasbin},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := compare
	if len(os.Args) == 3 && os.Args[1] == "engine" {
		run = func(context.Context) error { return answer(os.Args[2], os.Stdin, os.Stdout) }
	}
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "peers: %v\n", err)
		os.Exit(1)
	}
}

// compare lets the engines take turns and prints what a decision costs in each.
func compare(ctx context.Context) error {
	us := map[string][]float64{}
	var all []*process
	defer func() {
		for _, p := range all {
			p.close()
		}
	}()
	for _, m := range makers {
		p, err := start(m.name)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	for n := range rounds + 1 {
		for _, p := range all {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			took, err := p.ask()
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			if n > 0 { // by now everything is in memory
				us[p.name] = append(us[p.name], took)
			}
		}
	}
	for _, ours := range []string{"uncached", "cached"} {
		for _, peer := range []string{"opa", "casbin"} {
			a, b := median(us[ours]), median(us[peer])
			fmt.Printf("BENCH decide.%s %.3g us vs %s %.3g %.3g\n", ours, a, peer, b, a/b)
		}
	}
	return nil
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// process is an engine in a process of its own. A line asks for a round, a line answers with microseconds of CPU time.
type process struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
}

func start(name string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{name: name, cmd: exec.Command(self, "engine", name)}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewScanner(out)
	return p, p.cmd.Start()
}

func (p *process) ask() (float64, error) {
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		return 0, err
	}
	if !p.out.Scan() {
		return 0, fmt.Errorf("it has ended: %w", p.out.Err())
	}
	return strconv.ParseFloat(strings.TrimSpace(p.out.Text()), 64)
}

func (p *process) close() {
	p.in.Close()
	_ = p.cmd.Wait() // it has said on standard error what went wrong
}

// answer is the life of an engine's process.
func answer(name string, in io.Reader, out io.Writer) error {
	i := slices.IndexFunc(makers, func(m struct {
		name string
		make func(*world.World, time.Time) (engine, error)
	}) bool {
		return m.name == name
	})
	if i < 0 {
		return fmt.Errorf("there is no engine %q", name)
	}
	now := time.Now()
	w, err := world.New(world.Whole(), now)
	if err != nil {
		return err
	}
	decide, err := makers[i].make(w, now)
	if err != nil {
		return fmt.Errorf("make the engine: %w", err)
	}
	if err := agrees(w, decide); err != nil {
		return err
	}
	for asked := bufio.NewScanner(in); asked.Scan(); {
		us, err := measure(w, decide)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, us); err != nil {
			return err
		}
	}
	return nil
}

// agrees checks that an engine gives Lanyard's answers: one that decides something else is no peer.
func agrees(w *world.World, decide engine) error {
	for want, questions := range map[bool][]access.Request{true: w.Allowed, false: w.Refused} {
		for _, q := range questions {
			got, err := decide(q)
			if err != nil {
				return err
			}
			if got != want {
				return fmt.Errorf("%s on %s: it says %v, Lanyard %v", q.Principal.User, q.Resource, got, want)
			}
		}
	}
	return nil
}

// measure is the CPU time of this process for one question, in microseconds.
func measure(w *world.World, decide engine) (float64, error) {
	before, err := used()
	if err != nil {
		return 0, err
	}
	n := 0
	for begun := time.Now(); time.Since(begun) < round; {
		for _, q := range w.Allowed[n%10*100 : n%10*100+100] {
			if _, err := decide(q); err != nil {
				return 0, err
			}
		}
		n++
	}
	after, err := used()
	return float64((after - before).Nanoseconds()) / 1e3 / float64(n*100), err
}

func used() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
