package api

import "time"

// Workspace is a workspace and its state.
type Workspace struct {
	ID         string    `json:"id"`
	Owner      string    `json:"owner"`
	OwnerName  string    `json:"owner_name"`
	Project    string    `json:"project" doc:"The project's name"`
	Repository string    `json:"repository"`
	Ref        string    `json:"ref,omitempty" doc:"Empty: the default branch"`
	Name       string    `json:"name" doc:"The checkout is /workspace/<name>"`
	Desired    string    `json:"desired" doc:"running, stopped or deleted"`
	Phase      string    `json:"phase"`
	Message    string    `json:"message,omitempty" doc:"What the phase waits for, or why it failed"`
	Created    time.Time `json:"created"`
	Changed    time.Time `json:"changed"`
	Own        bool      `json:"own" doc:"The one who asks owns it"`
	Can        []string  `json:"can" doc:"What the one who asks may do now: open, start, stop, delete"`
	Terminal   string    `json:"terminal,omitempty" doc:"Address of its terminal, for who may open it"`
	Machine
}

// Order asks for a workspace: by a context URL, or by project and repository.
type Order struct {
	ContextURL string `json:"context_url,omitempty"`
	Project    string `json:"project,omitempty" doc:"The project's name"`
	Repository string `json:"repository,omitempty"`
	Ref        string `json:"ref,omitempty"`
	Class      string `json:"class,omitempty" doc:"Empty: the project's"`
	File       string `json:"file,omitempty" doc:"The repository's file to go by, or the folder of .devcontainer that holds it; none: no file; empty: the one that counts"`
	Confirmed  bool   `json:"confirmed,omitempty" doc:"The person has seen the variables of the context URL, or whose snapshot it is, and wants that"`
}

// Context is what a context URL stands for, before anything is started.
type Context struct {
	Project    string `json:"project"`
	Repository string `json:"repository"`
	Ref        string `json:"ref,omitempty" doc:"Empty: the default branch"`
	Request    int    `json:"request,omitempty" doc:"The number of the pull or merge request"`
	// Variables are what the link would set; the person confirms them.
	Variables map[string]string `json:"variables,omitempty" doc:"What the link would set in the workspace's environment"`
	Classes   []Class           `json:"classes,omitempty" doc:"That the workspace may be of, the default one first"`
	// Snapshot is what fills the checkout; nil: the repository alone does.
	Snapshot *ContextSnapshot `json:"snapshot,omitempty" doc:"That the checkout is taken from"`
}

// ContextSnapshot says what comes out of a snapshot, and from whom: its files may be of nobody but them.
type ContextSnapshot struct {
	ID          string    `json:"id"`
	Own         bool      `json:"own" doc:"The one who asks took it"`
	OwnerName   string    `json:"owner_name"`
	Note        string    `json:"note,omitempty"`
	Created     time.Time `json:"created"`
	Uncommitted bool      `json:"uncommitted" doc:"It holds what was not committed"`
	Foreign     bool      `json:"foreign" doc:"It may hold what somebody else wrote, so opening it takes confirmed"`
	Origins     []Origin  `json:"origins,omitempty" doc:"Other people's snapshots that its files came through, oldest first"`
}

// Origin is a snapshot that files came through.
type Origin struct {
	ID        string    `json:"id"`
	OwnerName string    `json:"owner_name"`
	Created   time.Time `json:"created"`
}

// Progress is one line of a workspace's start.
type Progress struct {
	At    time.Time `json:"at"`
	Phase string    `json:"phase"`
	Text  string    `json:"text"`
}

// ExecRequest is the first message of an exec WebSocket, as text.
type ExecRequest struct {
	Argv  []string `json:"argv"`
	TTY   bool     `json:"tty,omitempty"`
	Stdin bool     `json:"stdin,omitempty"`
}
