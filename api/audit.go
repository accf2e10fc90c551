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

// AuditPage is a part of what a search of the audit log found.
type AuditPage struct {
	Items    []Event `json:"items"`
	Next     string  `json:"next,omitempty" doc:"Give this as cursor (with after: as after) to get what comes next; absent at the end."`
	Previous string  `json:"previous,omitempty" doc:"Give this as cursor to get what comes before this page."`
	Size     int64   `json:"size" doc:"Entries that were written; absent with after"`
	Lag      int64   `json:"lag" doc:"Entries that were written and cannot be found yet, because the index follows"`
}

// AuditKey is the public key of the log's checkpoints.
type AuditKey struct {
	Key string `json:"key" doc:"As golang.org/x/mod/sumdb/note writes it"`
}

// Forget says whose personal data the audit log is to erase.
type Forget struct {
	User string `json:"user" doc:"u-…, a user name, or the object ID of one who has left the directory"`
}

// Forgotten is what was erased.
type Forgotten struct {
	Events int64 `json:"events" doc:"Entries that have lost the person's ID, name and addresses"`
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
	// Key is the public key that signatures were checked with, and where it comes from.
	Key     string `json:"key"`
	KeyFrom string `json:"key_from" doc:"database: the one that is checked"`
	Pruned  int64  `json:"pruned,omitempty" doc:"Of the first entries: removed because of their age; their hashes fit"`
	Erased  int64  `json:"erased,omitempty" doc:"Entries whose personal values were erased, as the log records"`
}
