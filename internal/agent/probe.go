package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// probeShells are the options of a shell that reads the files which userEnvProbe names
// (https://containers.dev/implementors/json_reference/#general-properties).
var probeShells = map[string]string{"loginShell": "-lc", "interactiveShell": "-ic", "loginInteractiveShell": "-lic"}

const (
	probeWithin = 10 * time.Second // what the specification's own tool gives it
	maxProbed   = 1 << 20          // bytes
	probeMark   = "--lanyard--"    // shells may print greetings before it
)

// completeRemote adds to the environment of terminals, tasks and commands what the person's shell sets by its files. What the
// setup says itself is stronger. A shell that does not answer is told, and left out.
func (a *Agent) completeRemote(ctx context.Context, s agentapi.Setup, say func(agentapi.Progress)) {
	option, ok := probeShells[s.Probe]
	if !ok {
		return
	}
	before := a.containerEnv()
	probed, err := a.probe(ctx, option, before)
	if err != nil {
		say(agentapi.Progress{Phase: "env", Text: fmt.Sprintf("What the shell sets by its own files (userEnvProbe: %s) is not known to commands: %v", s.Probe, err)})
		return
	}
	remote := map[string]string{}
	for k, v := range probed {
		if was, known := before[k]; !known || was != v {
			remote[k] = v
		}
	}
	for _, own := range []string{"_", "PWD", "OLDPWD", "SHLVL"} {
		delete(remote, own)
	}
	if path, ok := remote["PATH"]; ok {
		remote["PATH"] = pathOf(path, before["PATH"])
	}
	maps.Copy(remote, s.RemoteEnv)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.remote = remote
}

// pathOf is a PATH with what a shell added to it in front, and nothing missing that the shell took out.
func pathOf(shell, container string) string {
	had := filepath.SplitList(container)
	added := slices.DeleteFunc(filepath.SplitList(shell), func(dir string) bool { return slices.Contains(had, dir) })
	return joinPaths(append(added, had...)...)
}

// probe runs the person's shell and returns the environment that it gives a program.
func (a *Agent) probe(ctx context.Context, option string, env map[string]string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	shell := a.config.Shell
	if !usableShell(shell) {
		shell = "/bin/sh"
	}
	const mark = "printf %s " + probeMark
	cmd := exec.Command(shell, option, mark+"; cat /proc/self/environ; "+mark)
	cmd.Env, cmd.Dir, cmd.SysProcAttr = listed(env), a.folder(), &syscall.SysProcAttr{Setsid: true}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	cmd.Stdout = write
	ch, err := a.children.start(cmd)
	write.Close()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, ch.hangUp)
	defer stop()
	go func() {
		<-ch.ended
		lastWords(read) // what it left running in the background may hold the pipe
	}()
	var out []byte
	for from, chunk := newOutput(read), make([]byte, 32<<10); err == nil && len(out) < maxProbed && bytes.Count(out, []byte(probeMark)) < 2; {
		var n int
		n, err = from.Read(chunk)
		out = append(out, chunk[:n]...)
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("it did not answer within %s", probeWithin)
	}
	return parseEnviron(out)
}

// parseEnviron reads what stands between the marks: NAME=VALUE, each with a zero byte after it (proc_pid_environ(5)).
func parseEnviron(out []byte) (map[string]string, error) {
	parts := bytes.Split(out, []byte(probeMark))
	if len(parts) < 3 {
		return nil, errors.New("it ended before it said anything")
	}
	env := map[string]string{}
	for kv := range strings.SplitSeq(string(parts[len(parts)-2]), "\x00") {
		if k, v, ok := strings.Cut(kv, "="); ok && k != "" {
			env[k] = v
		}
	}
	return env, nil
}
