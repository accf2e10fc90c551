package api

import (
	"context"
	"time"
)

// Access is what somebody may do now with a project or with something of it.
type Access struct {
	Project  string    `json:"project" doc:"The project's name"`
	Kind     string    `json:"kind" enum:"project,repo,app,audience"`
	Resource string    `json:"resource" doc:"As other commands take it: a repository's URL, PROJECT/NAME, a project's name"`
	Role     string    `json:"role,omitempty"`
	Via      string    `json:"via,omitempty" doc:"The group or app role that gives the role"`
	Actions  []Allowed `json:"actions" doc:"Those that are allowed, now or after one more step"`
}

// Allowed is an action that is allowed, or would be after a step.
type Allowed struct {
	Action   string    `json:"action"`
	Decision string    `json:"decision" doc:"allow, step up (sign in again) or request (ask for approval)"`
	Until    time.Time `json:"until,omitzero" doc:"When time alone ends it"`
}

// Access lists what a user may do; user "" means oneself.
func (c *Client) Access(ctx context.Context, user string) ([]Access, error) {
	return list[Access](ctx, c, "/access", values("user", user))
}
