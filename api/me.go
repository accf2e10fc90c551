package api

import "time"

// Me says who asks and what that rests on.
type Me struct {
	// Operator is true for the owner of the server's socket, who is no user; the other fields are then absent.
	Operator bool      `json:"operator,omitempty"`
	User     string    `json:"user,omitempty" doc:"u-… and the object ID"`
	Name     string    `json:"name,omitempty"`
	UserName string    `json:"user_name,omitempty" doc:"The user principal name: for show, never a key"`
	Mail     string    `json:"mail,omitempty"`
	Groups   []Group   `json:"groups"`
	Projects []Holding `json:"projects"`
	Roles    []string  `json:"roles" doc:"Roles of the whole installation: admin, auditor"`
	Session  string    `json:"session,omitempty"`
	SignIn   *SignIn   `json:"sign_in,omitempty"`
}

// Group is a group the person is in, directly or through others.
type Group struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Path leads from this group down to the one that has the person as a direct member, by name; its first
	// element is this group itself. A path of one is a direct membership.
	Path []string `json:"path"`
}

// Holding is a role the person has in a project, and the group that gives it.
type Holding struct {
	ID   string   `json:"id"`
	Name string   `json:"name"`
	Role string   `json:"role"`
	Via  string   `json:"via,omitempty" doc:"Name of the group or app role that gives the role"`
	Path []string `json:"path,omitempty" doc:"From that group down to the one the person is directly in"`
}

// SignIn is one authentication at the tenant.
type SignIn struct {
	ID       string    `json:"id"`
	User     string    `json:"user,omitempty"`
	UserName string    `json:"user_name,omitempty" doc:"The person's display name"`
	At       time.Time `json:"at"`
	Expires  time.Time `json:"expires"`
	Strength string    `json:"strength,omitempty"`
	Contexts []string  `json:"contexts,omitempty" doc:"Authentication contexts that it satisfied"`
	IP       string    `json:"ip,omitempty" doc:"Where the browser was"`
	Device   string    `json:"device,omitempty" doc:"Browser and operating system, as the browser says"`
	Guest    bool      `json:"guest,omitempty"`
	Ended    time.Time `json:"ended,omitzero"`
	EndedWhy string    `json:"ended_why,omitempty"`
	Current  bool      `json:"current,omitempty" doc:"The session that asks hangs below this sign-in"`
	Sessions []Session `json:"sessions,omitempty"`
}

// Session hangs below a sign-in.
type Session struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind" doc:"browser, site, workspace, client, cli or agent"`
	Site      string    `json:"site,omitempty" doc:"The host that its cookie is for"`
	Workspace string    `json:"workspace,omitempty"`
	Client    string    `json:"client,omitempty" doc:"The OAuth client that it is for"`
	Device    string    `json:"device,omitempty" doc:"What that client calls its machine"`
	Bound     bool      `json:"bound,omitempty" doc:"Its tokens are of no use without that machine's key"`
	Agent     string    `json:"agent,omitempty" doc:"The AI agent that it is for"`
	Created   time.Time `json:"created"`
	Ended     time.Time `json:"ended,omitzero"`
	EndedWhy  string    `json:"ended_why,omitempty"`
	Current   bool      `json:"current,omitempty" doc:"This is the session that asks"`
}
