// Lanyard-agent is the program that runs as process 1 of a workspace. It is started by the workspace's runtime, not
// by people. Called as lanyard or gp, it is the command line in a workspace.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/lanyardhq/lanyard/internal/agent"
	"github.com/lanyardhq/lanyard/internal/inside"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

func main() {
	if inside.Program(os.Args[0]) {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop) // a second Ctrl-C ends what takes too long
		os.Exit(inside.Run(ctx, inside.Config{
			Program: os.Args[0], Version: build(), Env: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		}, os.Args[1:]))
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := agent.Confine(agentapi.FilterFile); err != nil {
		log.Error("the workspace agent failed", "err", err)
		os.Exit(1)
	}
	inherited := os.Environ()
	if err := os.Setenv("PATH", agent.WholePath(os.Getenv("PATH"))); err != nil { // where Git and commands are looked for
		log.Error("the workspace agent failed", "err", err)
		os.Exit(1)
	}
	who := person()
	err := agent.Run(context.Background(), agent.Config{
		Socket:    "/run/lanyard/lanyard.sock",
		Listen:    "127.0.0.1:7070",
		Private:   agentapi.PrivateFolder,
		Home:      who.Home,
		User:      who.Name,
		Shell:     who.Shell,
		Inherit:   inherited,
		Workspace: "/workspace",
		Build:     build(),
		Log:       log,
		Ready:     agent.Starter(os.Getenv(agentapi.StarterEnv)),
	})
	if err != nil {
		log.Error("the workspace agent failed", "err", err)
		os.Exit(1)
	}
}

// person is the user that this process runs as, as the image names it.
func person() agent.Person {
	passwd, err := os.Open("/etc/passwd")
	if err != nil {
		return agent.Whoami(strings.NewReader(""), os.Getuid(), os.Getenv("HOME"))
	}
	defer passwd.Close()
	return agent.Whoami(passwd, os.Getuid(), os.Getenv("HOME"))
}

// build is the version that the Go toolchain stamped into this binary.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return info.Main.Version
}
