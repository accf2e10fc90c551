package inside

import "strings"

// instead says what there is in the place of a command of Gitpod's that is none here; path is that of the command it would be
// below. It is empty for others.
func instead(path, name string) string {
	_, below, _ := strings.Cut(path, " ")
	switch strings.TrimSpace(below + " " + name) {
	case "await-port":
		return "`gp ports await PORT` does it"
	case "sync":
		return "there are `gp sync-await NAME` and `gp sync-done NAME`"
	case "forward-port", "ports expose":
		return "a port needs no exposing; `lanyard port-forward` on your own machine brings it there"
	case "ports visibility":
		return "a port is its owner's alone and cannot be shared"
	case "ports protocol":
		return "a port carries whatever listens on it"
	case "rebuild":
		return "an image is made ready when a workspace starts: push the change and start a new workspace; `gp validate` checks the file before"
	case "version":
		return "`gp --version` prints it"
	case "ssh":
		return "`lanyard ssh WORKSPACE` on your own machine opens a shell here"
	case "whoami":
		return "`lanyard user-info` says whose workspace this is"
	case "start", "list", "delete", "exec", "logs", "port-forward", "connect", "login", "logout", "git", "why", "access", "request", "requests", "prebuilds", "sessions", "export", "pin", "dotfiles":
		if !strings.HasPrefix(path, "gp") {
			return "`lanyard " + name + "` is for your own machine; in a workspace there is what `lanyard --help` lists"
		}
	case "docs":
		return "`gp --help` lists what there is"
	}
	return ""
}
