package api

import "time"

// Ask asks for access that a policy gives only with a person's approval.
type Ask struct {
	Action   string `json:"action" doc:"kind:verb, such as repo:write"`
	Resource string `json:"resource" doc:"As for why: a repository's URL, PROJECT/NAME, or a workspace's ID"`
	Why      string `json:"why" doc:"For who decides, and for the audit log; at most 500 characters"`
	For      string `json:"for,omitempty" doc:"How long: 30m, 2h; 1h when absent, at most 24h"`
}

// Answer decides a request.
type Answer struct {
	Why string `json:"why,omitempty" doc:"A word to who asked; a refusal needs one"`
	For string `json:"for,omitempty" doc:"Approve for less time than was asked for"`
}

// Request is a question for access and what became of it. The grant that approving makes has the same ID.
type Request struct {
	ID        string    `json:"id"`
	State     string    `json:"state" enum:"pending,approved,refused,withdrawn,expired"`
	User      string    `json:"user"`
	UserName  string    `json:"user_name" doc:"Who asks; the display name"`
	Action    string    `json:"action"`
	Resource  string    `json:"resource"`
	Project   string    `json:"project,omitempty" doc:"The project's name"`
	Approvers string    `json:"approvers" doc:"The group whose members may decide"`
	Group     string    `json:"group" doc:"Its ID"`
	Why       string    `json:"why"`
	For       string    `json:"for"`
	Asked     time.Time `json:"asked"`
	Expires   time.Time `json:"expires" doc:"Undecided by then, it is over"`
	By        string    `json:"by,omitempty" doc:"Who decided"`
	ByName    string    `json:"by_name,omitempty"`
	Decided   time.Time `json:"decided,omitzero"`
	Words     string    `json:"words,omitempty" doc:"What they said to it"`
	Until     time.Time `json:"until,omitzero" doc:"When what was approved ends"`
	// MayDecide: who asks for this list may approve or refuse it.
	MayDecide bool `json:"may_decide,omitempty"`
}

// Grant is an access that a person gave: approved, delegated to an AI agent, or by breaking the glass.
type Grant struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind" enum:"approval,delegation,break-glass"`
	User     string    `json:"user"`
	UserName string    `json:"user_name"`
	Allowed  []string  `json:"allowed,omitempty" doc:"What it covers, a line each"`
	Agent    string    `json:"agent,omitempty" doc:"The AI agent that it is delegated to"`
	Session  string    `json:"session,omitempty" doc:"The session that delegated"`
	Project  string    `json:"project,omitempty" doc:"Break-glass: the project's name"`
	Role     string    `json:"role,omitempty" doc:"Break-glass: the role in it"`
	Why      string    `json:"why,omitempty"`
	By       string    `json:"by,omitempty" doc:"Who gave it; absent for the operator"`
	ByName   string    `json:"by_name"`
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
}

// Delegate gives an AI agent a part of one's own rights.
type Delegate struct {
	Agent string         `json:"agent" doc:"Its name: a-z, 0-9 and -"`
	Allow []DelegateLine `json:"allow"`
	Why   string         `json:"why,omitempty"`
	For   string         `json:"for,omitempty" doc:"1h when absent, at most 24h, and never longer than the session"`
}

// DelegateLine is one line of a delegation.
type DelegateLine struct {
	Action   string `json:"action"`
	Resource string `json:"resource" doc:"As for why; PROJECT/* is every repository, or app, of a project"`
}

// BreakGlass gives a role in a project without approval, and raises an alarm.
type BreakGlass struct {
	User    string `json:"user" doc:"u-… or a user principal name"`
	Project string `json:"project" doc:"The project's name"`
	Role    string `json:"role" enum:"viewer,developer,maintainer"`
	Why     string `json:"why"`
	For     string `json:"for,omitempty" doc:"30m when absent, at most 1h"`
}
