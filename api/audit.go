package api

import "time"

// Event is an entry of the audit log.
type Event struct {
	Seq       int64          `json:"seq"`
	Time      time.Time      `json:"time"`
	Action    string         `json:"action"`
	Outcome   string         `json:"outcome"`
	User      string         `json:"user,omitempty"`
	UserName  string         `json:"user_name,omitempty" doc:"The person's name as it was then"`
	Session   string         `json:"session,omitempty"`
	Actor     string         `json:"actor,omitempty"`
	Workspace string         `json:"workspace,omitempty"`
	Project   string         `json:"project,omitempty"`
	Resource  string         `json:"resource,omitempty"`
	Reasons   []string       `json:"reasons,omitempty"`
	IP        string         `json:"ip,omitempty"`
	Detail    map[string]any `json:"detail,omitempty"`
}

// Verification is what checking the audit log found.
type Verification struct {
	OK   bool   `json:"ok"`
	Size int64  `json:"size" doc:"Entries covered by the newest checkpoint"`
	Text string `json:"text" doc:"The finding, as a sentence"`
	// Problems are what is missing or was changed.
	Problems []string `json:"problems"`
	// Complete is false where nothing outside the server proves that no entry was cut off the end.
	Complete bool `json:"complete"`
}
