package agent

import (
	"os/exec"
	"strings"
)

// login reads what a login shell reads, and then goes on as the command in its arguments. /etc/profile of most images sets
// PATH anew, without what the image and Lanyard put there; it comes back before that command begins, with what the
// profile added in front.
const login = `lanyard_new=; set -f; IFS=:
for lanyard_dir in $PATH; do
	case ":$LANYARD_PATH:" in *":$lanyard_dir:"*) ;; *) lanyard_new=$lanyard_new$lanyard_dir: ;; esac
done
unset IFS; set +f
PATH=$lanyard_new$LANYARD_PATH; export PATH
unset LANYARD_PATH lanyard_new lanyard_dir
exec "$@"`

// shellCommand is a shell at a terminal: the person's own with arguments, after what a login shell reads.
func (a *Agent) shellCommand(env map[string]string, shell string, args ...string) *exec.Cmd {
	reader := "/bin/bash"
	if !usableShell(reader) {
		reader = "/bin/sh"
	}
	cmd := exec.Command(reader, append([]string{"-lc", login, "login", shell}, args...)...)
	cmd.Dir = a.folder()
	cmd.Env = a.remoteEnvironment(env)
	for _, kv := range cmd.Env {
		if path, ok := strings.CutPrefix(kv, "PATH="); ok {
			cmd.Env = append(cmd.Env, "LANYARD_PATH="+path)
			break
		}
	}
	return cmd
}

// atTerminal is what programs are told of a terminal.
func atTerminal(more map[string]string) map[string]string {
	env := map[string]string{"TERM": "xterm-256color", "COLORTERM": "truecolor"}
	for k, v := range more {
		env[k] = v
	}
	return env
}
