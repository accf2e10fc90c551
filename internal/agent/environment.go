package agent

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// Path is where programs are looked for, by the agent and by its children, where an image says nothing else.
const Path = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

// WholePath is an image's PATH with what is missing of Path after it.
func WholePath(path string) string { return joinPaths(path, Path) }

// joinPaths appends to a PATH what it has not got of another one. Folders that are not absolute count as none.
func joinPaths(lists ...string) string {
	var all []string
	for _, dir := range filepath.SplitList(strings.Join(lists, string(filepath.ListSeparator))) {
		if filepath.IsAbs(dir) && !slices.Contains(all, dir) {
			all = append(all, dir)
		}
	}
	return strings.Join(all, string(filepath.ListSeparator))
}

// environment is what the agent's own helpers get: what the image and the runtime say, then what the setup gave, then
// extra. Nothing of it is the agent's own.
func (a *Agent) environment(extra map[string]string) []string {
	env := a.containerEnv()
	maps.Copy(env, extra)
	return listed(env)
}

// remoteEnvironment is what terminals, tasks and commands get: the setup's RemoteEnv too.
func (a *Agent) remoteEnvironment(extra map[string]string) []string {
	env := a.containerEnv()
	a.mu.Lock()
	remote := a.remote
	a.mu.Unlock()
	path := env["PATH"]
	filled := make(map[string]string, len(remote))
	for k, v := range remote {
		filled[k] = fillIn(v, env)
	}
	maps.Copy(env, filled)
	maps.Copy(env, extra)
	env["PATH"] = joinPaths(env["PATH"], path)
	return listed(env)
}

// containerEnv is the environment of every process of the workspace.
func (a *Agent) containerEnv() map[string]string {
	env := map[string]string{"LANG": "C.UTF-8"}
	for _, kv := range a.config.Inherit {
		if k, v, ok := strings.Cut(kv, "="); ok && k != agentapi.StarterEnv {
			env[k] = v
		}
	}
	path := joinPaths(filepath.Join(a.config.Home, ".local/bin"), agentapi.CommandFolder, env["PATH"], Path)
	env["HOME"], env["USER"], env["LOGNAME"], env["SHELL"], env["PATH"] = a.config.Home, a.config.User, a.config.User, a.config.Shell, path
	if a.config.Private != "" {
		env[agentapi.SocketEnv] = filepath.Join(a.config.Private, agentapi.PrivateSocket)
	}
	maps.Copy(env, a.gitSystem())
	maps.Copy(env, a.tokens.variables())
	a.mu.Lock()
	maps.Copy(env, a.env)
	a.mu.Unlock()
	env["PATH"] = joinPaths(env["PATH"], path) // who sets it does not lose the commands lanyard and gp
	return env
}

func listed(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return list
}

var containerVariable = regexp.MustCompile(`\$\{containerEnv:([A-Za-z_][A-Za-z0-9_]*)(?::([^}]*))?\}`)

// fillIn puts in the variables of the container that a value names
// (https://containers.dev/implementors/json_reference/#variables-in-devcontainerjson).
func fillIn(value string, env map[string]string) string {
	return containerVariable.ReplaceAllStringFunc(value, func(found string) string {
		m := containerVariable.FindStringSubmatch(found)
		if v, ok := env[m[1]]; ok {
			return v
		}
		return m[2]
	})
}
