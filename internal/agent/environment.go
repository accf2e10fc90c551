package agent

import (
	"maps"
	"path/filepath"
	"slices"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// Path is where programs are looked for, by the agent and by its children.
const Path = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

// environment is what a child of the agent gets: nothing of the agent's own, then what the setup gave, then extra.
func (a *Agent) environment(extra map[string]string) []string {
	env := map[string]string{
		"HOME":    a.config.Home,
		"USER":    "lanyard",
		"LOGNAME": "lanyard",
		"SHELL":   "/bin/bash",
		"LANG":    "C.UTF-8",
		"PATH":    filepath.Join(a.config.Home, ".local/bin") + ":" + agentapi.CommandFolder + ":" + Path,
	}
	if a.config.Private != "" {
		env[agentapi.SocketEnv] = filepath.Join(a.config.Private, agentapi.PrivateSocket)
	}
	maps.Copy(env, a.tokens.variables())
	a.mu.Lock()
	maps.Copy(env, a.env)
	a.mu.Unlock()
	maps.Copy(env, extra)
	list := make([]string, 0, len(env))
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return list
}
