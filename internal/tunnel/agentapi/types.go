// Package agentapi is what the server asks of a workspace's agent: the wire types of the HTTP API that the agent
// serves over the tunnel, and a client for it.
//
//	POST /v1/setup            Setup in, lines of Progress out
//	GET  /v1/status           Status
//	POST /v1/stop             ends every process, then the agent
//	GET  /v1/terminal/{name}  WebSocket, see Terminal
//	GET  /v1/exec             WebSocket, see Exec
//	GET  /v1/port/{port}      WebSocket, see Port
//	GET  /v1/tasks            []TaskState
//	GET  /v1/tasks/{id}/log   what the task wrote
//	POST /v1/tasks/{id}/stop  ends the task
//	GET  /v1/ports            []PortState
//	GET  /v1/watch            lines of Now
//	GET  /v1/figures          Figures
//	GET  /v1/sync/{name}      answers when POST /v1/sync/{name} was asked
//	GET  /v1/work             Work: what is not saved
//	POST /v1/notice           bytes, shown in every open terminal
//	POST /v1/checkout/pack    PackOrder in, Pack out
//	POST /v1/checkout/unpack  Unpack and Pack in, Unpacked out
//
// Terminals, tasks, ports, watch, figures and sync are served on the workspace's private socket too.
package agentapi

import "regexp"

// Setup prepares a workspace: Git's configuration, the environment of its processes, and the checkout.
type Setup struct {
	// Name of the checkout's folder below the workspace's root; ValidName says which.
	Name string `json:"name"`
	// Repository is cloned if the folder is not there yet; nil makes an empty folder.
	Repository *Repository `json:"repository,omitempty"`
	// GitHosts are the hosts (with a port if it is not the scheme's) whose repositories the gateway serves: Git
	// reaches https://HOST/… through it.
	GitHosts []string `json:"gitHosts,omitempty"`
	Author   Author   `json:"author"`
	// GitConfig are further settings, as `git config` names them.
	GitConfig []GitSetting `json:"gitConfig,omitempty"`
	// Env is added to the environment of terminals and commands. Every process of the workspace reads it: a secret
	// is in it only where a project declares secret variables.
	Env map[string]string `json:"env,omitempty"`

	// RemoteEnv is added after Env, for terminals, tasks and commands; ${containerEnv:NAME} in a value is filled in.
	RemoteEnv map[string]string `json:"remoteEnv,omitempty"`
	// Probe says which shell's files RemoteEnv is completed from: loginShell, interactiveShell or loginInteractiveShell; else
	// from none.
	Probe string `json:"probe,omitempty"`
	// Link is a further path that leads to the checkout, absolute; empty: none. Folders are made where they are missing, after
	// the checkouts; absolute.
	Link    string   `json:"link,omitempty"`
	Folders []string `json:"folders,omitempty"`
	// Folder is where terminals, tasks and commands begin, absolute; empty: the checkout.
	Folder string `json:"folder,omitempty"`
	// More repositories are cloned beside the checkout; their Folder is set.
	More  []Repository `json:"more,omitempty"`
	Tasks []Task       `json:"tasks,omitempty"`
	// Lifecycle runs before the tasks, step by step; the first that fails ends it. The workspace is ready after the steps
	// of WaitFor (empty: updateContentCommand).
	Lifecycle []Step     `json:"lifecycle,omitempty"`
	WaitFor   string     `json:"waitFor,omitempty"`
	Ports     []PortPlan `json:"ports,omitempty"`
	// Prebuild: run what runs once, wait for it, and then nothing else; see Setup's answer.
	Prebuild bool `json:"prebuild,omitempty"`
	// Dotfiles is a repository of the person's own, cloned to ~/.dotfiles and installed once a home.
	Dotfiles *Repository `json:"dotfiles,omitempty"`
	// Egress says how the workspace reaches what lies outside, through the agent's own address.
	Egress *Egress `json:"egress,omitempty"`
}

// Egress is how programs are told of the forward proxy and of the package registries behind the gateway. The agent
// writes their configuration.
type Egress struct {
	// Proxy says that the forward proxy leads anywhere at all.
	Proxy bool `json:"proxy,omitempty"`
	// Registries are resources of the project, by kind: npm, go, pypi, apt, oci.
	Registries []RegistryPlan `json:"registries,omitempty"`
}

// RegistryPlan is one registry: the agent serves it at /r/NAME/.
type RegistryPlan struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	Scope string `json:"scope,omitempty"` // npm: only packages of this @scope; go: GOPRIVATE-like pattern
}

// Repository is what to clone.
type Repository struct {
	URL string `json:"url"`           // http or https, without user or password
	Ref string `json:"ref,omitempty"` // branch, tag, commit or a whole ref (refs/…); empty for the default branch
	// Folder below the workspace's root, for repositories other than the first.
	Folder string `json:"folder,omitempty"`
}

// Author is who commits, as the directory names them.
type Author struct {
	Name string `json:"name"`
	Mail string `json:"mail"`
}

// GitSetting is one line of Git's configuration: Key is "section.name" or "section.subsection.name".
type GitSetting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Progress is one line of the answer to Setup. The last one has Done or Error.
type Progress struct {
	Phase string `json:"phase,omitempty"` // "git" (configuration), "clone", "checkout"
	Text  string `json:"text,omitempty"`
	Done  bool   `json:"done,omitempty"`
	Error string `json:"error,omitempty"` // what failed, in Git's own words where Git failed
}

// Status is the agent's word on itself.
type Status struct {
	Build     string   `json:"build"`
	Start     string   `json:"start"` // the agent's start ID
	Name      string   `json:"name"`  // of the last setup; empty before the first
	Ready     bool     `json:"ready"` // a setup is done
	Terminals []string `json:"terminals"`
}

// Size of a terminal in characters.
type Size struct {
	Cols uint16 `json:"cols"`
	Rows uint16 `json:"rows"`
}

// Control is a text frame of a terminal or of a command with a terminal: one field is set.
type Control struct {
	Resize *Size `json:"resize,omitempty"` // to the agent
	Exit   *int  `json:"exit,omitempty"`   // from the agent, the last frame: the shell ended with this status
}

// ExecRequest is the first frame (text) of /v1/exec.
type ExecRequest struct {
	Argv  []string          `json:"argv"`
	Env   map[string]string `json:"env,omitempty"` // added to the workspace's
	Dir   string            `json:"dir,omitempty"` // absolute; empty for the checkout
	Stdin bool              `json:"stdin,omitempty"`
	TTY   bool              `json:"tty,omitempty"` // with a terminal of its own; its output is all Stdout
	Size  *Size             `json:"size,omitempty"`
}

// The first byte of a binary frame of /v1/exec says what the rest is.
const (
	Stdin    byte = 0 // to the agent; an empty rest is the end of input
	Stdout   byte = 1
	Stderr   byte = 2
	Exit     byte = 3 // ExecExit, the last frame
	Consumed byte = 4 // big-endian uint32: so many bytes of Stdin reached the process
)

// StdinWindow is how many bytes of Stdin may be under way. The agent always reads its connection, so that it sees
// its end also while the process reads no input; more than this it would have to keep in memory.
const StdinWindow = 1 << 20

// ExecExit is how a command ended: Error is set when it never began.
type ExecExit struct {
	Code  int    `json:"code"` // exit status; 128 and the signal's number when a signal ended it
	Error string `json:"error,omitempty"`
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// ValidName reports whether s can name a checkout's folder or a terminal.
func ValidName(s string) bool { return nameForm.MatchString(s) }
