package audit

import (
	"encoding/json"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Outcome is how an audited action ended.
type Outcome string

const (
	Done    Outcome = "done"
	Denied  Outcome = "denied"
	Failed  Outcome = "failed"
	Opened  Outcome = "opened" // a visit or a long access began
	Closed  Outcome = "closed" // it ended by itself
	Cut     Outcome = "cut"    // it ended because a fact it rested on changed
	Refused Outcome = "refused"
	Alarm   Outcome = "alarm" // done, and somebody must look at it: the glass was broken
)

// Person is the verified person of an event, with the name as it was then.
type Person struct {
	Tenant identity.TenantID `json:"tenant"`
	Object string            `json:"object"`
	Name   string            `json:"name,omitempty"`
}

// Event is one entry of the log. Its stored bytes are its JSON encoding, and those bytes are the leaf.
type Event struct {
	Seq       int64                `json:"seq"` // position in the log from 0; set by the log's leader when the event becomes a leaf
	Time      time.Time            `json:"time"`
	Action    string               `json:"action"` // an identity.Action, or one of the log's own such as "signin", "lease:close"
	Outcome   Outcome              `json:"outcome"`
	User      *Person              `json:"user,omitempty"`
	Session   identity.SessionID   `json:"session,omitempty"`
	Actor     string               `json:"actor,omitempty"` // an AI agent's name, "operator", or "service:…"
	Workspace identity.WorkspaceID `json:"workspace,omitempty"`
	Project   string               `json:"project,omitempty"` // the project's name
	Resource  string               `json:"resource,omitempty"`
	Reasons   []string             `json:"reasons,omitempty"`
	IP        string               `json:"ip,omitempty"`
	Detail    map[string]any       `json:"detail,omitempty"`
}

// PersonOf makes the Person of a user.
func PersonOf(u identity.UserID, name string) *Person {
	if u.IsZero() {
		return nil
	}
	return &Person{Tenant: u.Tenant, Object: u.Object, Name: name}
}

// String prints the event as one line of JSON.
func (e Event) String() string {
	b, err := json.Marshal(e)
	if err != nil {
		return `{"action":"` + e.Action + `","error":"unprintable"}`
	}
	return string(b)
}
