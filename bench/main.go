// Bench measures Lanyard beside bare parts, in the same run and on the same machine. `make bench` runs everything,
// `make bench ONLY=name` one figure or one benchmark; docs/benchmarks.md says what each figure is.
//
// Each figure is one line on standard output: `BENCH name value unit [vs peer value ratio]`. What this machine
// cannot run is `SKIP name reason`. Everything else goes to standard error.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// benchmark measures one subject, and gives several figures. Its name is that of its file.
type benchmark struct {
	name    string
	figures []string // without what follows an @
	run     func(context.Context, *bench) error
}

func benchmarks() []benchmark {
	return []benchmark{
		{"decide", []string{"decide.uncached", "decide.cached"}, benchDecide},
		{"decide-peers", []string{"decide.uncached", "decide.cached"}, benchDecidePeers},
		{"audit", []string{"audit.durable", "audit.search.p50", "audit.search.p99"}, benchAudit},
		{"directory", []string{"directory.read", "directory.memory", "directory.memory.peak", "directory.memory.restarted", "directory.restart", "directory.effect.p50", "directory.effect.p99"}, benchDirectory},
		{"scim", []string{"scim.ops"}, benchSCIM},
		{"http", []string{"http.cpu"}, benchHTTP},
		{"token", []string{"token.mint.cpu", "token.exchange.cpu", "token.introspect.cpu"}, benchToken},
		{"token-verify", []string{"token.verify.cpu"}, benchVerify},
		{"whoami", []string{"whoami.p50"}, benchWhoami},
		{"git", []string{"git.clone.speed", "git.clone.cpu"}, benchGit},
		{"start-sandbox", []string{"start.sandbox.p50", "start.sandbox.p99"}, benchStart},
		{"start-docker", []string{"start.docker.p50", "start.docker.p99"}, benchStartDocker},
		{"cut-peers", []string{"cut.peers"}, benchCutPeers},
		{"load", []string{"load.rss", "load.growth", "load.mutex"}, benchSoak},
		{"cut", []string{"cut.one.p50", "cut.one.p99", "cut.all"}, benchCut},
	}
}

// bench is what every benchmark is given.
type bench struct {
	log      *slog.Logger
	minutes  int    // of load; 0: not asked for
	divide   int    // the organisation that is read, for a quick look
	profiles string // folder for CPU profiles of the measured processes; empty: none are made
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "role" {
		// Ctrl-C goes to the whole process group; a part ends when the one that started it says so, or is gone.
		signal.Ignore(os.Interrupt)
		if err := play(os.Args[2]); err != nil {
			fmt.Fprintf(os.Stderr, "bench %s: %v\n", os.Args[2], err)
			os.Exit(1)
		}
		return
	}
	minutes := flag.Int("minutes", 10, "keep the load up for so many `minutes`, where it is asked for by name")
	divide := flag.Int("divide", 1, "divide the size of the organisation that is read by `N`; its figures carry @SIZE then")
	profiles := flag.String("profiles", "", "write CPU profiles of the measured processes into this `folder`")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: go run ./bench [-profiles FOLDER] [NAME…]\nnames:\n")
		for _, b := range benchmarks() {
			fmt.Fprintf(flag.CommandLine.Output(), "  %s: %s\n", b.name, strings.Join(b.figures, " "))
		}
	}
	flag.Parse()
	chosen, err := choose(flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := &bench{profiles: *profiles, divide: max(1, *divide), log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if flag.NArg() > 0 {
		b.minutes = *minutes
	}
	failed := false
	for _, one := range chosen {
		fmt.Fprintf(os.Stderr, "# %s\n", one.name)
		if err := one.run(ctx, b); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", one.name, err)
			failed = true
		}
		if ctx.Err() != nil {
			os.Exit(130)
		}
	}
	if failed {
		os.Exit(1)
	}
}

// choose finds the benchmarks that names mean: a benchmark's name, a figure's with or without its size, or, where there is none of
// either, what figures' names begin with: `start` is that of both runtimes. A figure may be of several, each beside peers of its own.
func choose(names []string) ([]benchmark, error) {
	if len(names) == 0 {
		return benchmarks(), nil
	}
	var chosen []benchmark
	for _, name := range names {
		figure, _, _ := strings.Cut(name, "@")
		means := matching(func(b benchmark) bool {
			return b.name == strings.TrimSuffix(name, ".go") || slices.Contains(b.figures, figure)
		})
		if len(means) == 0 {
			means = matching(func(b benchmark) bool {
				return slices.ContainsFunc(b.figures, func(f string) bool { return strings.HasPrefix(f, figure+".") })
			})
		}
		if len(means) == 0 {
			return nil, fmt.Errorf("no figure and no benchmark is called %q", name)
		}
		for _, found := range means {
			if !slices.ContainsFunc(chosen, func(b benchmark) bool { return b.name == found.name }) {
				chosen = append(chosen, found)
			}
		}
	}
	return chosen, nil
}

func matching(fits func(benchmark) bool) (all []benchmark) {
	for _, b := range benchmarks() {
		if fits(b) {
			all = append(all, b)
		}
	}
	return all
}
