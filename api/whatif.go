package api

import (
	"context"
	"net/http"
)

// What a WhatIf may suppose.
const (
	WhatIfAdd     = "add"
	WhatIfRemove  = "remove"
	WhatIfDisable = "disable"
	WhatIfConfig  = "config"
)

// WhatIf supposes one change, which is not made.
type WhatIf struct {
	Change string `json:"change" enum:"add,remove,disable,config" doc:"A user joins a group, leaves it, is disabled; other files of projects and policies are in force"`
	User   string `json:"user,omitempty" doc:"u-…, or a user principal name"`
	Group  string `json:"group,omitempty" doc:"An object ID, or a display name that no other group has"`
	// Projects and Policies are the texts of files by name. What is absent stays as it is; empty means that there are none.
	Projects map[string]string `json:"projects,omitempty" doc:"Texts of project files by name; absent: as they are"`
	Policies map[string]string `json:"policies,omitempty" doc:"Texts of policy files by name; absent: as they are"`
}

// Outcome is what a supposed change would do.
type Outcome struct {
	Gained []Right `json:"gained"`
	Lost   []Right `json:"lost"`
	Closes []Lease `json:"closes" doc:"Open accesses that would be closed, with the reason"`
	// More counts what was left out of each list.
	MoreGained int `json:"more_gained,omitempty"`
	MoreLost   int `json:"more_lost,omitempty"`
	MoreCloses int `json:"more_closes,omitempty"`
	// Findings are what is wrong with the files. When Valid is false they could not be put in force, and nothing was compared.
	Valid    bool      `json:"valid"`
	Findings []Finding `json:"findings"`
}

// Right is a role that somebody holds in a project, or in the installation where Project is empty.
type Right struct {
	User     string `json:"user"`
	UserName string `json:"user_name"`
	Project  string `json:"project,omitempty"`
	Role     string `json:"role"`
}

// Finding is one thing that is wrong with a file, and where.
type Finding struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

// WhatIf tells what a change would do.
func (c *Client) WhatIf(ctx context.Context, what WhatIf) (o Outcome, err error) {
	return o, c.Do(ctx, http.MethodPost, "/whatif", nil, what, &o)
}
