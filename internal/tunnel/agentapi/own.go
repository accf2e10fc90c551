package agentapi

import "time"

// What the commands lanyard and gp in a workspace ask the server about their own workspace, below OwnPrefix on the private
// socket:
//
//	GET    /workspace           OwnInfo
//	GET    /workspace/user      OwnUser
//	GET    /workspace/env       OwnVariables
//	POST   /workspace/env       SetOwnVariables in, OwnVariables out
//	DELETE /workspace/env?name  OwnVariables
//	POST   /workspace/timeout   SetTimeout in, OwnTimeout out
//	POST   /workspace/snapshot  TakeSnapshot in, OwnSnapshot out
//	POST   /workspace/stop      OwnInfo
const OwnPrefix = "/workspace"

// OwnInfo is what a workspace is.
type OwnInfo struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Owner      string     `json:"owner"`
	Project    string     `json:"project"`
	Repository string     `json:"repository"`
	Ref        string     `json:"ref,omitempty"`
	Context    string     `json:"context"`         // the context URL that it was started from
	Class      string     `json:"class,omitempty"` // with its bounds
	Limits     OwnLimits  `json:"limits"`
	Disk       int64      `json:"disk,omitempty"`  // bytes that it has on disk, as last measured
	Image      string     `json:"image,omitempty"` // pinned to a digest; empty: the server's own files
	Plan       string     `json:"plan,omitempty"`  // the file of the repository that says what it needs
	Snapshot   string     `json:"snapshot,omitempty"`
	Prebuild   string     `json:"prebuild,omitempty"`
	Warm       bool       `json:"warm,omitempty"` // it was made ahead, and given to its owner when it was asked for
	Cold       string     `json:"cold,omitempty"` // why it was not, where its project has some made ahead; of its first start
	Phase      string     `json:"phase"`
	Created    time.Time  `json:"created"`
	Timeout    OwnTimeout `json:"timeout"`
	Server     string     `json:"server"`   // address of Lanyard's pages
	URL        string     `json:"url"`      // of its terminal
	PortURL    string     `json:"port_url"` // of a port, with {port} in it
}

// OwnLimits are the bounds of a workspace's class; zero is none. Memory and Disk in bytes.
type OwnLimits struct {
	CPUs      float64 `json:"cpus,omitempty"`
	Memory    int64   `json:"memory,omitempty"`
	Disk      int64   `json:"disk,omitempty"`
	Processes int64   `json:"processes,omitempty"`
}

// OwnTimeout says how long a workspace goes on.
type OwnTimeout struct {
	Timeout string    `json:"timeout"`         // without use, such as 30m0s; 0s: it does not stop by itself
	Own     bool      `json:"own"`             // somebody set it here, instead of the project's
	Stops   time.Time `json:"stops,omitzero"`  // unless it is used
	Last    time.Time `json:"last,omitzero"`   // in any case
	Notice  string    `json:"notice,omitzero"` // that it stops soon
}

// SetTimeout asks for another timeout: such as 90m, or empty for the project's. Extend lets the present one begin anew.
type SetTimeout struct {
	Timeout string `json:"timeout,omitempty"`
	Extend  bool   `json:"extend,omitempty"`
}

// OwnUser is whose the workspace is, as the directory has them.
type OwnUser struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	UserName string `json:"user_name"`
	Mail     string `json:"email,omitempty"`
	Role     string `json:"role,omitempty"` // in the workspace's project
}

// OwnVariable is an environment variable that the next start of this workspace gets.
type OwnVariable struct {
	Name   string `json:"name"`
	Value  string `json:"value"` // empty for a secret one
	Secret bool   `json:"secret,omitempty"`
	Given  bool   `json:"given"` // false: policy keeps it from workspaces here
	For    string `json:"for"`   // whose it is, and for which workspaces, in words
	Own    bool   `json:"own"`   // the person's own for this repository, which can be set from here
	By     string `json:"by,omitzero"`
}

// OwnVariables are all, by name.
type OwnVariables struct {
	Repository string        `json:"repository"` // that one's own are set for from here
	Items      []OwnVariable `json:"items"`
}

// SetOwnVariables sets some of one's own, for workspaces on this repository.
type SetOwnVariables struct {
	Set map[string]string `json:"set"`
}

// TakeSnapshot asks for a copy of the checkout to be kept.
type TakeSnapshot struct {
	Note string `json:"note,omitempty"`
}

// OwnSnapshot is what was kept.
type OwnSnapshot struct {
	ID      string    `json:"id"`
	URL     string    `json:"url"` // opens a workspace from it
	Size    int64     `json:"size"`
	Commit  string    `json:"commit,omitempty"`
	Dirty   bool      `json:"uncommitted"`
	Digest  string    `json:"digest"`
	Expires time.Time `json:"expires"`
}
