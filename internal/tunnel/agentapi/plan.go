package agentapi

// What a Setup says of the tasks, ports and repositories of a workspace; the server makes it of the repository's own files
// (internal/devfile) and of what its owner wants.

// Task is a terminal of its own in which the steps run one after the other in one shell.
type Task struct {
	ID     string            `json:"id"`   // ValidName; also the terminal's name
	Name   string            `json:"name"` // for show
	Before string            `json:"before,omitempty"`
	Init   string            `json:"init,omitempty"` // once for a checkout
	Then   string            `json:"command,omitempty"`
	Env    map[string]string `json:"env,omitempty"`
	OpenIn string            `json:"openIn,omitempty"`
	Mode   string            `json:"openMode,omitempty"`
}

// Step is one command of a devcontainer's life; its parts run at once, and the step ends when all have.
type Step struct {
	Stage string `json:"stage"`          // onCreateCommand, updateContentCommand, postCreateCommand, postStartCommand, postAttachCommand
	From  string `json:"from,omitempty"` // the feature that brought it
	Parts []Part `json:"parts"`
}

// Part is one command: Shell for /bin/sh, or Argv without a shell.
type Part struct {
	Name  string   `json:"name,omitempty"`
	Shell string   `json:"shell,omitempty"`
	Argv  []string `json:"argv,omitempty"`
}

// PortPlan is what is said of ports First to Last.
type PortPlan struct {
	First    int    `json:"first"`
	Last     int    `json:"last"`
	Name     string `json:"name,omitempty"`
	OnOpen   string `json:"onOpen,omitempty"` // notify, openBrowser, openPreview, silent, ignore
	Protocol string `json:"protocol,omitempty"`
	Text     string `json:"description,omitempty"`
}

// TaskState is what became of a task or a step.
type TaskState struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	State    string `json:"state"` // TaskWaiting and its like
	Step     string `json:"step,omitempty"`
	Exit     int    `json:"exit"`
	Terminal string `json:"terminal,omitempty"`
}
